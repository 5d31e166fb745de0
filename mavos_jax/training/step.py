"""The state of a run, and one optimiser step of it over one device's clips."""

from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int32, UInt8, UInt32

from mavos_jax.axes import Scalar
from mavos_jax.config import Experiment
from mavos_jax.models.backend import backend_for
from mavos_jax.models.mavos import MAVOS, Variables, build_model
from mavos_jax.runtime.trees import leaves_by_path, nested
from mavos_jax.training import optimizer as optimizers
from mavos_jax.training.clip import Clip, FrameResult, clip_loss, draw_label_frame
from mavos_jax.training.optimizer import Leaves


class TrainState(NamedTuple):
    """What a step takes and returns; a pytree of arrays, the same on every device."""

    step: Scalar  # steps done
    trained: Leaves
    average: Leaves  # the exponential moving average of ``trained``, which evaluation reads
    frozen: Leaves
    constants: dict[str, Any]  # nested as in the model
    optimizer: Any
    skipped: Scalar  # steps that changed nothing
    skipped_in_row: Scalar
    key: UInt32[Array, "2"]  # gives, with the step and a clip's place, all random numbers


def variables_of(state: TrainState, *, average: bool) -> Variables:
    """Returns the network's variables: the average, or the parameters as they were last trained."""
    return merge(state.average if average else state.trained, state.frozen, state.constants)


def merge(trained: Leaves, frozen: Leaves, constants: dict[str, Any]) -> Variables:
    """Returns the network's variables from the two sets of parameters and the constants."""
    return {"params": nested({**trained, **frozen}), "constants": constants}


def split(state: TrainState) -> tuple[Variables, dict[str, Any]]:
    """Returns what evaluation reads and, by name, the rest: the two parts of a checkpoint."""
    rest = state._asdict()
    for name in ("average", "frozen", "constants"):
        del rest[name]
    return variables_of(state, average=True), leaves_by_path(rest)


def join(like: TrainState, parts: tuple[Variables, dict[str, Any]]) -> TrainState:
    """Returns the state, of the structure of ``like``, that was split into these parts."""
    structure = jax.tree.structure(like)
    numbers = range(structure.num_leaves)
    places = jax.tree.leaves(split(jax.tree.unflatten(structure, numbers)))
    leaves = dict(zip(places, jax.tree.leaves(parts), strict=True))
    return jax.tree.unflatten(structure, [leaves[number] for number in numbers])


class Metrics(NamedTuple):
    """What a step measures, averaged over the global batch; positions begin at the reference."""

    loss: Float[Array, ""]
    frame_losses: Float[Array, "t"]  # the reference's without its weight
    frame_ious: Float[Array, "t"]
    rate: Float[Array, ""]  # that of all but the encoder
    gradient_norm: Float[Array, ""]  # before clipping
    is_skipped: Bool[Array, ""]  # loss or gradient is not finite, and the step changes nothing


class DeviceBatch(NamedTuple):
    """A device's share of a :class:`~mavos_jax.data.loader.Batch`, in parts computed in turn."""

    frames: UInt8[Array, "parts b t h1 w1 3"]
    masks: UInt8[Array, "parts b t h1 w1"]
    num_objects: Int32[Array, "parts b"]
    places: Int32[Array, "parts b"]


def build_training_model(config: Experiment, platform: str | None = None) -> MAVOS:
    """Returns the network in the precision of the recipe, for JAX's platform or another."""
    platform = platform or jax.default_backend()
    return build_model(config, backend_for(platform, training_precision(config, platform)))


def training_precision(
    config: Experiment, platform: str | None = None
) -> Literal["float32", "bfloat16"]:
    """Returns the precision of the recipe on a platform, in which a step should also be traced."""
    precision = config.training.clip.precision
    if precision == "auto":
        return "float32" if (platform or jax.default_backend()) == "cpu" else "bfloat16"
    return precision


def new_state(config: Experiment, variables: Variables) -> TrainState:
    """Returns the state before the first step, with the starting weights."""
    recipe = config.training.optimizer
    leaves = jax.tree.map(jnp.asarray, leaves_by_path(variables["params"]))
    is_kept = {path: optimizers.is_frozen(recipe, config.encoder, path) for path in leaves}
    trained = {path: leaf for path, leaf in leaves.items() if not is_kept[path]}
    return TrainState(
        step=jnp.int32(0),
        trained=trained,
        average=trained,
        frozen={path: leaf for path, leaf in leaves.items() if is_kept[path]},
        constants=variables["constants"],
        optimizer=optimizers.build_optimizer(recipe).init(trained),
        skipped=jnp.int32(0),
        skipped_in_row=jnp.int32(0),
        key=jax.random.PRNGKey(config.training.seed),
    )


def train_step(
    model: MAVOS, state: TrainState, batch: DeviceBatch, *, axis_name: str | None
) -> tuple[TrainState, Metrics]:
    """Returns the state after a step over one device's share of the batch, and what it measured."""
    config = model.config.training
    key = jax.random.fold_in(state.key, state.step)
    label_at = None
    if config.clip.late:
        # Clips fold their place in the batch in, which is below its size.
        step_key = jax.random.fold_in(key, config.batch_size)
        label_at = draw_label_frame(config.clip.late, batch.frames.shape[2], step_key)

    def part_loss(trained: Leaves, part: DeviceBatch) -> tuple[Array, FrameResult]:
        variables = merge(trained, state.frozen, state.constants)

        def loss(frames: Array, masks: Array, num_objects: Array, index: Array) -> Any:
            clip = Clip(frames, masks, num_objects)
            clip_key = jax.random.fold_in(key, index)
            total, result = clip_loss(model, variables, clip, state.step, clip_key, label_at)
            return total, result._replace(slots=())

        totals, results = jax.vmap(loss)(*part)
        return totals.mean(), jax.tree.map(lambda x: x.mean(axis=0), results)

    def add(total: Any, part: DeviceBatch) -> tuple[Any, None]:
        measured = jax.value_and_grad(part_loss, has_aux=True)(state.trained, part)
        return jax.tree.map(jnp.add, total, measured), None

    per_frame = jnp.zeros(batch.frames.shape[2])
    result = FrameResult._make((per_frame, per_frame, ()))
    nothing = (jnp.float32(0), result), jax.tree.map(jnp.zeros_like, state.trained)
    measured, _ = jax.lax.scan(add, nothing, batch)
    measured = jax.tree.map(lambda x: x / len(batch.places), measured)
    if axis_name is not None:  # there are several devices
        measured = jax.lax.pmean(measured, axis_name)
    (loss, result), gradient = measured
    norm = optax.tree.norm(gradient)
    is_finite = jnp.isfinite(loss) & jnp.isfinite(norm)
    moved = _advance(model, state, gradient)
    kept = state._replace(
        step=state.step + 1, skipped=state.skipped + 1, skipped_in_row=state.skipped_in_row + 1
    )
    rate = optimizers.learning_rate(config, state.step, jnp)
    return (
        jax.tree.map(lambda a, b: jnp.where(is_finite, a, b), moved, kept),
        Metrics(loss, result.loss, result.iou, rate, norm, ~is_finite),
    )


def _advance(model: MAVOS, state: TrainState, gradient: Leaves) -> TrainState:
    config = model.config.training
    trained, optimizer = optimizers.update(
        config, state.trained, gradient, state.optimizer, state.step
    )
    decay = optimizers.average_decay(config, state.step - state.skipped + 1)
    return state._replace(
        step=state.step + 1,
        trained=trained,
        average={n: decay * x + (1 - decay) * trained[n] for n, x in state.average.items()},
        optimizer=optimizer,
        skipped_in_row=jnp.int32(0),
    )
