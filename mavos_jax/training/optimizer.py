"""AdamW or Muon with the released schedule, over parameters by path."""

from typing import Any, NamedTuple, assert_never

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from mavos_jax.axes import Scalar
from mavos_jax.config import EncoderConfig, OptimizerConfig, TrainingConfig
from mavos_jax.models.encoders import early_modules

Leaves = dict[str, Any]  # arrays by the path of their parameter, such as ``decoder/conv_in/kernel``
MUON_SIZE = 0.4  # root mean square of Muon's updates before the learning rate: about that of Adam's
_MUON_DECAY = 0.95
_ITERATIONS = 5
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # take singular values of 0.01 to 1 to 0.7 to 1.2
_ENCODER = "encoder/"
_IDENTIFICATION = "identification/"


def learning_rate(config: TrainingConfig, step: Any, xp: Any = np) -> Any:
    """Returns the learning rate at a step, of everything but the encoder.

    Linear from ``min_rate`` to ``peak_rate`` over the warm-up, then min + (peak - min) (1 - i / (n
    + 1))^power, with i the steps and n the length after the warm-up. ``xp`` is ``numpy`` on the
    host (float64), ``jax.numpy`` inside a step.
    """
    recipe = config.optimizer
    warmup = int(recipe.warmup * config.steps)
    span = recipe.peak_rate - recipe.min_rate
    length = config.steps - warmup + 1
    # Whole numbers are subtracted before the division: near the end the share is tiny.
    share = xp.clip(length - (step - warmup), 0, length) / length
    rising = step / max(warmup, 1)
    return recipe.min_rate + span * xp.where(step < warmup, rising, share**recipe.power)


def encoder_rate(config: OptimizerConfig, rate: Any) -> Any:
    """Returns the encoder's learning rate where everything else has ``rate``."""
    return config.min_rate + (rate - config.min_rate) * config.encoder_ratio


def average_decay(config: TrainingConfig, updates: Scalar) -> Float[Array, ""]:
    """Returns the decay of the moving average after a number of updates, this one included."""
    longest = max(1.0 - 1.0 / max(config.optimizer.ema * config.steps, 1.0), 0.0)
    return jnp.minimum(longest, (1 + updates) / (10 + updates))


def is_frozen(recipe: OptimizerConfig, encoder: EncoderConfig, path: str) -> bool:
    """Whether a parameter keeps its weights: ``freeze_encoder`` and ``freeze_early`` decide."""
    if recipe.freeze_encoder and path.startswith(_ENCODER):
        return True
    early = tuple(f"{_ENCODER}{name}/" for name in early_modules(encoder))
    return recipe.freeze_early and path.startswith(early)


def decays(path: str, dimensions: int) -> bool:
    """Whether weight decay applies: to most arrays of two axes or more, and encoder scales."""
    name = path.rpartition("/")[2]
    if dimensions >= 2:
        is_relative = name in ("relative_position_bias", "relative_value")
        return not is_relative and not path.startswith("decoder/conv_out/")
    return name == "scale" and path.startswith(_ENCODER)


def is_orthogonalised(path: str, dimensions: int) -> bool:
    """Whether Muon makes a parameter's update orthogonal: matrices, convolutions but the last."""
    is_dense = path.endswith("/kernel") and dimensions in (2, 4)
    return is_dense and not path.startswith("decoder/conv_out/")


def build_optimizer(config: OptimizerConfig) -> optax.GradientTransformation:
    """Returns clipping, Adam or Muon, and weight decay; :func:`update` applies the rates."""

    def mask(parameters: Leaves) -> dict[str, bool]:
        return {path: decays(path, leaf.ndim) for path, leaf in parameters.items()}

    match config.kind:
        case "adamw":
            direction = optax.scale_by_adam()
        case "muon":
            direction = _muon()
        case _:
            assert_never(config.kind)
    return optax.chain(
        optax.clip_by_global_norm(config.clip_norm),
        direction,
        optax.add_decayed_weights(config.weight_decay, mask=mask),
    )


def _muon() -> optax.GradientTransformation:
    """Muon for what :func:`is_orthogonalised` names, Adam for the rest, both with Nesterov."""

    def name(parameters: Leaves) -> dict[str, str]:
        return {
            path: "muon" if is_orthogonalised(path, leaf.ndim) else "adam"
            for path, leaf in parameters.items()
        }

    return optax.partition(
        {"muon": _scale_by_muon(), "adam": optax.scale_by_adam(nesterov=True)}, name
    )


class MomentumState(NamedTuple):
    """Muon's state: the number of updates, and moving averages of the gradients."""

    count: Array  # pyright: ignore[reportIncompatibleMethodOverride]
    momentum: Any


def _scale_by_muon() -> optax.GradientTransformation:
    """Makes the bias-corrected Nesterov momentum of each kernel orthogonal (Jordan et al. 2024)."""
    # ``optax.contrib.muon`` takes 2.3 times as long on a CPU: every matrix is a batch of one.
    decay = _MUON_DECAY

    def init(params: Any) -> MomentumState:
        return MomentumState(jnp.int32(0), jax.tree.map(jnp.zeros_like, params))

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        del params
        count = state.count + 1
        momentum = jax.tree.map(lambda m, g: decay * m + (1 - decay) * g, state.momentum, updates)
        of_m, of_g = decay / (1 - decay ** (count + 1)), (1 - decay) / (1 - decay**count)
        ahead = jax.tree.map(lambda m, g: of_m * m + of_g * g, momentum, updates)
        return jax.tree.map(_orthogonalised, ahead), MomentumState(count, momentum)

    return optax.GradientTransformation(init, update)


def _orthogonalised(kernel: Float[Array, "*rows columns"]) -> Float[Array, "*rows columns"]:
    """Returns U V^T of the decomposition U S V^T, roughly (S becomes 0.7 to 1.2), scaled."""
    # Newton-Schulz: X <- a X + (b A + c A^2) X, A = X X^T.
    # Rows are all that adds up to an output: channels in, and the taps of convolutions.
    matrix = kernel.reshape(-1, kernel.shape[-1])
    a, b, c = _COEFFICIENTS
    is_tall = matrix.shape[0] > matrix.shape[1]
    wide = matrix.T if is_tall else matrix

    def iterate(_: Any, x: Array) -> Array:
        gram = x @ x.T
        return a * x + (b * gram + c * gram @ gram) @ x

    wide = jax.lax.fori_loop(0, _ITERATIONS, iterate, wide / (jnp.linalg.norm(wide) + 1e-8))
    found = wide.T if is_tall else wide
    return (MUON_SIZE * max(matrix.shape) ** 0.5) * found.reshape(kernel.shape)


def update(
    config: TrainingConfig, parameters: Leaves, gradient: Leaves, optimizer_state: Any, step: Scalar
) -> tuple[Leaves, Any]:
    """Returns the parameters after one step, and the optimiser's state."""
    optimizer = build_optimizer(config.optimizer)
    directions: Any
    directions, optimizer_state = optimizer.update(gradient, optimizer_state, parameters)
    rate = learning_rate(config, step, jnp)
    slow = encoder_rate(config.optimizer, rate)
    # Later no gradient reaches the bank; PyTorch leaves parameters without one alone.
    is_bank_trained = step < config.clip.teacher_forcing * config.steps

    def move(path: str, leaf: Array, direction: Array) -> Array:
        if path.startswith(_IDENTIFICATION):
            return leaf - jnp.where(is_bank_trained, rate, 0.0) * direction
        return leaf - (slow if path.startswith(_ENCODER) else rate) * direction

    moved = {path: move(path, leaf, directions[path]) for path, leaf in parameters.items()}
    return moved, optimizer_state
