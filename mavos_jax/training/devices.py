"""A step over all devices: the only file that knows how they share it.

Each runs :func:`~mavos_jax.training.step.train_step` on its clips; gradients and metrics are means
over all devices of all processes, so the result does not depend on how many there are.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, UInt8

from mavos_jax.config import Experiment
from mavos_jax.data.loader import Batch
from mavos_jax.models.mavos import MAVOS
from mavos_jax.runtime.devices import graph_options, products_in
from mavos_jax.training import step as steps
from mavos_jax.training.clip import Clip, clip_loss
from mavos_jax.training.step import DeviceBatch, Metrics, TrainState, build_training_model

AXIS = "devices"
_EACH, _SHARED = PartitionSpec(AXIS), PartitionSpec()

Step = Callable[[TrainState, Batch], tuple[TrainState, Metrics]]


def build_step(
    config: Experiment, devices: Sequence[Any] | None = None, *, with_pmap: bool | None = None
) -> Step:
    """Returns the step over ``devices`` of all processes, by default all.

    By ``pmap``, arrays of a state have a leading axis of devices; by ``jit`` they are replicated.
    The default is ``pmap``; for several processes on GPUs, where that has no CUDA graphs, ``jit``.
    It consumes a replicated state and takes this process's clips; it returns the replicated state
    and metrics that every process can read. Raises ValueError for a recipe that cannot be trained.
    """
    devices = jax.devices() if devices is None else devices
    require_trainable(config, len(devices))
    num_local, parts = len(_local(devices)), config.training.accumulate
    if num_local * jax.process_count() != len(devices):
        raise ValueError(
            f"devices: expected {len(devices) / jax.process_count():g} in each of "
            f"{jax.process_count()} processes, since clips are shared out evenly, found "
            f"{num_local} in process {jax.process_index()}; give all processes as many"
        )
    model = build_training_model(config)
    if _is_mapped(with_pmap):
        body = functools.partial(steps.train_step, model, axis_name=AXIS)
        mapped = jax.pmap(body, AXIS, out_axes=(0, None), donate_argnums=(0,), devices=devices)
        run = _in_graphs(mapped)
    else:
        run = _shard(model, devices)

    def step(state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        shards = (x.reshape(num_local, parts, -1, *x.shape[1:]) for x in batch)
        with products_in(steps.training_precision(config)):
            return run(state, DeviceBatch(*shards))  # pyright: ignore[reportArgumentType]

    return step


def _is_mapped(with_pmap: bool | None) -> bool:
    if with_pmap is not None:
        return with_pmap
    # Only a compiled pmap takes graph options, and then no process's share of an array.
    return jax.process_count() == 1 or graph_options(jax.default_backend()) is None


def _in_graphs(mapped: Any) -> Callable:
    """Compiles a ``pmap``, whose calls have the same shapes, with :func:`graph_options`."""
    options = graph_options(jax.default_backend())
    if options is None:
        return mapped
    compiled: list[Any] = []

    def run(*inputs: Any) -> Any:
        if not compiled:
            compiled.append(mapped.lower(*inputs).compile(compiler_options=options))
        return compiled[0](*inputs)

    return run


def shard_step(model: MAVOS, mesh: Mesh) -> tuple[Callable, NamedSharding, NamedSharding]:
    """Returns a step over a mesh, to be jitted, and how states and clips, one a device, lie."""

    # Left to itself, jit may gather clips that it cannot tell apart, such as those of a sort.
    def on_each(state: TrainState, batch: DeviceBatch) -> tuple[TrainState, Metrics]:
        own = jax.tree.map(lambda x: x[0], batch)
        return steps.train_step(model, state, own, axis_name=AXIS)

    specs = {"in_specs": (_SHARED, _EACH), "out_specs": _SHARED}
    sharded = jax.shard_map(on_each, mesh=mesh, check_vma=False, **specs)
    return sharded, NamedSharding(mesh, _SHARED), NamedSharding(mesh, _EACH)


def _shard(model: MAVOS, devices: Sequence[Any]) -> Callable:
    sharded, _, over_devices = shard_step(model, _mesh(devices))
    graphs = graph_options(jax.default_backend())
    run = jax.jit(sharded, donate_argnums=(0,), compiler_options=graphs)

    def place(local: np.ndarray) -> Array:
        return jax.make_array_from_process_local_data(over_devices, local)

    return lambda state, batch: run(state, jax.tree.map(place, batch))


def require_trainable(config: Experiment, num_devices: int) -> None:
    """Raises ValueError for a recipe that the network or so many devices cannot train."""
    rest = 1 if config.align_corners else 0
    if config.data.crop % 16 != rest:
        raise ValueError(
            f"data.crop: expected 16 n + {rest} pixels (align_corners is {config.align_corners}), "
            f"found {config.data.crop}"
        )
    # The first write is a copy, and the last frame never writes.
    enough = 2 * config.training.clip.gap + 2
    if config.memory.is_modulated and config.data.clip_frames < enough:
        raise ValueError(
            f"data.clip_frames: expected at least {enough} frames, two writes into the memory "
            f"(training.clip.gap is {config.training.clip.gap}) for MCA to learn from, "
            f"found {config.data.clip_frames}"
        )
    num_parts = num_devices * config.training.accumulate
    if config.training.batch_size % num_parts:
        raise ValueError(
            f"training.batch_size: expected a multiple of {num_parts} (devices times "
            f"training.accumulate), found {config.training.batch_size}"
        )


def build_prediction(config: Experiment) -> Callable[[TrainState, Batch], np.ndarray]:
    """Returns a function that segments the first clip of a batch as a step would, for pictures."""
    model = build_training_model(config)

    @jax.jit
    def predict(state: TrainState, clip: Clip) -> UInt8[Array, "t h1 w1"]:
        state = _drop_axis(state)
        variables = steps.variables_of(state, average=False)
        _, result = clip_loss(model, variables, clip, state.step, None)
        return result.slots.astype(jnp.uint8)

    def first(state: TrainState, batch: Batch) -> np.ndarray:
        clip = Clip(*(jnp.asarray(x[0]) for x in batch[:3]))
        with products_in(steps.training_precision(config)):
            return np.asarray(predict(_first_copy(state), clip))

    return first


def replicate(
    state: TrainState, devices: Sequence[Any] | None = None, *, with_pmap: bool | None = None
) -> TrainState:
    """Returns a copy of the state on every device, laid out as a step returns it: compiled once."""
    devices = jax.devices() if devices is None else devices
    local, is_mapped = _local(devices), _is_mapped(with_pmap)
    layout = NamedSharding(_mesh(local if is_mapped else devices), _EACH if is_mapped else _SHARED)

    def copy(leaf: Any) -> Array:
        # A copy, because the step consumes what it is given.
        leaf = np.array(leaf)
        if is_mapped:
            return jax.device_put(np.stack([leaf] * len(local)), layout)
        return jax.make_array_from_process_local_data(layout, leaf, leaf.shape)

    return jax.tree.map(copy, state)


def unreplicate(state: TrainState) -> TrainState:
    """Returns the copy of this process's first device as NumPy arrays of their own."""
    return _drop_axis(jax.tree.map(np.array, _first_copy(state)))


def _first_copy(state: TrainState) -> TrainState:
    return jax.tree.map(lambda x: x.addressable_data(0) if isinstance(x, jax.Array) else x, state)


def _drop_axis(state: TrainState) -> TrainState:
    return jax.tree.map(lambda x: x[0], state) if state.step.ndim else state


def _local(devices: Sequence[Any]) -> list[Any]:
    return [device for device in devices if device.process_index == jax.process_index()]


def _mesh(devices: Sequence[Any]) -> Mesh:
    return Mesh(np.array(devices), (AXIS,))
