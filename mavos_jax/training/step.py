"""One optimiser step over all devices: the only file that names ``pmap``.

:func:`train_step` is a plain function of a state and this device's clips; :func:`build_step` maps
it over the local devices. Gradients and metrics are averaged over all devices of all processes, so
the result does not depend on how many there are.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import flax.jax_utils
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Bool, Float, Int32, UInt8

from mavos_jax.config import Experiment
from mavos_jax.data.loader import Batch
from mavos_jax.models.backend import backend_for
from mavos_jax.models.mavos import MAVOS, Variables, build_model
from mavos_jax.runtime.devices import products_in
from mavos_jax.runtime.trees import leaves_by_path
from mavos_jax.training.clip import Clip, FrameResult, clip_loss
from mavos_jax.training.late import draw_label_frame
from mavos_jax.training.optimizer import (
    average_decay,
    build_optimizer,
    global_norm,
    is_frozen,
    learning_rate,
    update,
    where,
)
from mavos_jax.training.state import Leaves, TrainState, merge, variables_of

AXIS = "devices"


class Metrics(NamedTuple):
    """What a step measures, averaged over the global batch.

    Attributes:
      loss: the total loss.
      frame_losses: by position in the clip, the reference first, without its weight.
      frame_ious: of the predicted masks, by position.
      rate: the learning rate of everything but the encoder.
      gradient_norm: before clipping.
      is_skipped: whether the loss or the gradient was not finite, so that nothing changed.
    """

    loss: Float[Array, ""]
    frame_losses: Float[Array, "t"]
    frame_ious: Float[Array, "t"]
    rate: Float[Array, ""]
    gradient_norm: Float[Array, ""]
    is_skipped: Bool[Array, ""]


class DeviceBatch(NamedTuple):
    """The clips of one device, in parts that follow one another; see ``data.videos.Batch``."""

    frames: UInt8[Array, "parts b t h1 w1 3"]
    masks: UInt8[Array, "parts b t h1 w1"]
    num_objects: Int32[Array, "parts b"]
    index: Int32[Array, "parts b"]


def build_training_model(config: Experiment) -> MAVOS:
    """Returns the network in the precision of the recipe."""
    backend = backend_for(jax.default_backend())
    return build_model(config, dataclasses.replace(backend, compute=training_precision(config)))


def training_precision(config: Experiment) -> Literal["float32", "bfloat16"]:
    """Returns the precision of the recipe here, in which a step should also be traced."""
    precision = config.training.clip.precision
    if precision == "auto":
        return "float32" if jax.default_backend() == "cpu" else "bfloat16"
    return precision


def new_state(config: Experiment, variables: Variables) -> TrainState:
    """Returns the state before the first step.

    Args:
      config: the experiment; its recipe says which parameters are frozen.
      variables: the starting weights.
    """
    leaves = jax.tree.map(jnp.asarray, leaves_by_path(variables["params"]))
    recipe = config.training.optimizer
    frozen = {
        path: leaf for path, leaf in leaves.items() if is_frozen(recipe, config.encoder, path)
    }
    trained = {path: leaf for path, leaf in leaves.items() if path not in frozen}
    return TrainState(
        step=jnp.int32(0),
        trained=trained,
        average=trained,
        frozen=frozen,
        constants=variables["constants"],
        optimizer=build_optimizer(config.training.optimizer).init(trained),
        skipped=jnp.int32(0),
        skipped_in_row=jnp.int32(0),
        key=jax.random.PRNGKey(config.training.seed),
    )


def train_step(
    model: MAVOS, state: TrainState, batch: DeviceBatch, *, axis_name: str | None
) -> tuple[TrainState, Metrics]:
    """Returns the state after a step over one device's clips, and what it measured.

    Args:
      model: the network; its configuration holds the recipe.
      state: before the step.
      batch: this device's share of the global batch.
      axis_name: of the devices over which to average, if there are several.
    """
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

    def measure(part: DeviceBatch) -> Any:
        return jax.value_and_grad(part_loss, has_aux=True)(state.trained, part)

    def add(total: Any, part: DeviceBatch) -> tuple[Any, None]:
        return jax.tree.map(jnp.add, total, measure(part)), None

    per_frame = jnp.zeros(batch.frames.shape[2])
    result = FrameResult._make((per_frame, per_frame, ()))
    nothing = (jnp.float32(0), result), jax.tree.map(jnp.zeros_like, state.trained)
    measured, _ = jax.lax.scan(add, nothing, batch)
    measured = jax.tree.map(lambda x: x / len(batch.index), measured)
    if axis_name is not None:
        measured = jax.lax.pmean(measured, axis_name)
    (loss, result), gradient = measured
    norm = global_norm(gradient.values())
    is_finite = jnp.isfinite(loss) & jnp.isfinite(norm)
    metrics = Metrics(
        loss, result.loss, result.iou, learning_rate(config, state.step, jnp), norm, ~is_finite
    )
    return where(is_finite, _advance(model, state, gradient), _skip(state)), metrics


def _advance(model: MAVOS, state: TrainState, gradient: Leaves) -> TrainState:
    config = model.config.training
    trained, optimizer = update(config, state.trained, gradient, state.optimizer, state.step)
    decay = average_decay(config, state.step - state.skipped + 1)
    return state._replace(
        step=state.step + 1,
        trained=trained,
        average={
            path: decay * old + (1 - decay) * trained[path] for path, old in state.average.items()
        },
        optimizer=optimizer,
        skipped_in_row=jnp.int32(0),
    )


def _skip(state: TrainState) -> TrainState:
    return state._replace(
        step=state.step + 1,
        skipped=state.skipped + 1,
        skipped_in_row=state.skipped_in_row + 1,
    )


def build_step(
    config: Experiment, devices: Sequence[Any] | None = None
) -> Callable[[TrainState, Batch], tuple[TrainState, Metrics]]:
    """Returns the step over all devices.

    It takes a replicated state, which it consumes, and the clips of this process, a batch of NumPy
    arrays; it returns the replicated state and metrics that every process can read. ``devices`` are
    those of all processes to use, by default all.

    Raises:
      ValueError: the global batch cannot be split evenly over devices and parts, the network does
        not take such crops, or a clip is so short that MCA would learn nothing.
    """
    chosen = jax.devices() if devices is None else devices
    num_local, parts = len(_local(chosen)), config.training.accumulate
    rest = 1 if config.align_corners else 0
    if config.data.crop % 16 != rest:
        raise ValueError(
            f"data.crop: expected 16 n + {rest} pixels (align_corners is {config.align_corners}), "
            f"got {config.data.crop}"
        )
    # The first write is a copy, and the last frame never writes.
    enough = 2 * config.training.clip.gap + 2
    if config.memory.is_modulated and config.data.clip_frames < enough:
        raise ValueError(
            f"data.clip_frames: expected at least {enough} frames, so that a clip holds two writes "
            f"into the memory (training.clip.gap is {config.training.clip.gap}) and MCA learns, "
            f"got {config.data.clip_frames}"
        )
    if config.training.batch_size % (len(chosen) * parts):
        raise ValueError(
            f"training.batch_size: expected a multiple of {len(chosen) * parts} (devices "
            f"times training.accumulate), got {config.training.batch_size}"
        )
    body = functools.partial(train_step, build_training_model(config), axis_name=AXIS)
    mapped = jax.pmap(body, AXIS, out_axes=(0, None), donate_argnums=(0,), devices=devices)

    def step(state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        shards: Any = (x.reshape(num_local, parts, -1, *x.shape[1:]) for x in batch)
        with products_in(training_precision(config)):
            return mapped(state, DeviceBatch(*shards))

    return step


def build_prediction(config: Experiment) -> Callable[[TrainState, Batch], np.ndarray]:
    """Returns a function that segments the first clip of a batch as a step would, for pictures.

    It takes a replicated state and the clips of this process, and returns slots uint8 [T, S, S].
    """
    model = build_training_model(config)

    @jax.jit
    def predict(state: TrainState, clip: Clip) -> UInt8[Array, "t h1 w1"]:
        _, result = clip_loss(model, variables_of(state, average=False), clip, state.step, None)
        return result.slots.astype(jnp.uint8)

    def first(state: TrainState, batch: Batch) -> np.ndarray:
        clip = Clip(*(jnp.asarray(x[0]) for x in batch[:3]))
        with products_in(training_precision(config)):
            return np.asarray(predict(flax.jax_utils.unreplicate(state), clip))

    return first


def replicate(state: TrainState, devices: Sequence[Any] | None = None) -> TrainState:
    """Returns a copy of the state on every local device, laid out as a step returns it.

    With any other layout the second step would be compiled once more. ``devices`` are the step's.
    """
    local = _local(jax.devices() if devices is None else devices)
    layout = NamedSharding(Mesh(np.array(local), (AXIS,)), PartitionSpec(AXIS))

    def copy(leaf: Any) -> Array:
        # A copy, because the step consumes what it is given.
        return jax.device_put(np.stack([np.asarray(leaf)] * len(local)), layout)

    return jax.tree.map(copy, state)


def _local(devices: Sequence[Any]) -> list[Any]:
    return [device for device in devices if device.process_index == jax.process_index()]


def unreplicate(state: TrainState) -> TrainState:
    """Returns the first device's copy as NumPy arrays."""
    return jax.device_get(flax.jax_utils.unreplicate(state))
