"""The memory, whose shapes are fixed from the reference on: the carry of a ``jax.lax.scan``."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from mavos_jax.axes import Scalar
from mavos_jax.config import MemoryConfig
from mavos_jax.models.attention import MASKED


class KeyValue(NamedTuple):
    """What one E-LSTT block remembers of one or more frames."""

    key: Float[Array, "m k"]  # a frame's key is also its query
    value: Float[Array, "m v"]  # visual and identity value, which one product propagates


KeyValues = tuple[KeyValue, ...]  # of all blocks, in their order


class Pending(NamedTuple):
    """What one block keeps of a frame until its mask is known."""

    key: Float[Array, "n k"]
    visual_value: Float[Array, "n e"]  # in the LSTT, what the embedding is added to
    identity: Float[Array, "n d"] | None  # normalised; None in the first block and in the LSTT


class Memory(NamedTuple):
    """The memory of one group of objects, long-term and short-term by block."""

    long_term: KeyValues  # the frames in the policy's places one after the other
    short_term: KeyValues  # the previous frame
    num_writes: Scalar  # of frames beside the reference into the long-term memory
    # As how manieth each further reference was kept, 0 for an empty place; those places come last.
    kept: Int[Array, "r"] | None = None


class Policy(NamedTuple):
    """What the long-term memory keeps, in places of one frame each, beside further references."""

    places: int | None  # how many there are; ``None``: as many as ``MemoryConfig.capacity``
    # Returns all places of an array, given the reference's tokens and the number of places.
    start: Callable[[Array, int], Array]
    # Returns the place that a write replaces, given the number of places and of the writes before;
    # ``None``: nothing is ever written.
    slot: Callable[[int, Scalar], Scalar] | None
    # Returns how many places, the first ones, hold a frame, given the same two numbers; ``None``:
    # all from frame 0 on.
    in_use: Callable[[int, Scalar], Scalar] | None


def _in_every_place(reference: Array, places: int) -> Array:
    """Duplicating every key leaves the softmax unchanged, so this is exact."""
    return jnp.concatenate([reference] * places)


def _in_first_place(reference: Array, places: int) -> Array:
    return jnp.pad(reference, ((0, (places - 1) * reference.shape[0]), (0, 0)))


def _first_slot(places: int, num_writes: Scalar) -> Scalar:
    return jnp.int32(0)


def _ring(places: int | None) -> Policy:
    return Policy(
        places,
        _in_first_place,
        slot=lambda places, num_writes: 1 + num_writes % (places - 1),
        in_use=lambda places, num_writes: jnp.minimum(num_writes + 1, places),
    )


POLICIES = {
    # The dynamic part, then the reference.
    "mca": Policy(2, _in_every_place, _first_slot, None),
    "bank": _ring(None),
    "reference": Policy(1, _in_every_place, None, None),
    "previous": Policy(1, _in_every_place, _first_slot, None),
    "reference_previous": _ring(2),
}
"""Every ``MemoryConfig.policy``: a new one needs a row here and its name there."""


def num_places(config: MemoryConfig) -> int:
    """Returns how many frames the long-term memory has room for, further references aside."""
    return POLICIES[config.policy].places or config.capacity


def start_memory(config: MemoryConfig, reference: KeyValues) -> Memory:
    """Returns the memory after the reference frame."""
    start, places = POLICIES[config.policy].start, num_places(config)
    further = config.references - 1
    long_term = jax.tree.map(
        lambda x: jnp.pad(start(x, places), ((0, further * len(x)), (0, 0))), reference
    )
    kept = jnp.zeros(further, jnp.int32) if further else None
    return Memory(long_term, reference, jnp.int32(0), kept)


def dynamic_part(long_term: KeyValues, num_tokens: int) -> KeyValues:
    """Returns what a modulated write updates: the first frame's tokens."""
    return jax.tree.map(lambda x: x[:num_tokens], long_term)


def put_frame(config: MemoryConfig, memory: Memory, frame: KeyValues) -> tuple[KeyValues, Scalar]:
    """Returns the long-term memory with a frame in its place, and the number of writes."""
    policy = POLICIES[config.policy]
    if policy.slot is None:
        return memory.long_term, memory.num_writes
    slot = policy.slot(num_places(config), memory.num_writes)

    def put(old: Array, new: Array) -> Array:
        return jax.lax.dynamic_update_slice(old, new, (slot * new.shape[0], 0))

    return jax.tree.map(put, memory.long_term, frame), memory.num_writes + 1


def keep_frame(memory: Memory, place: Scalar | int | None = None) -> Memory:
    """Keeps the latest frame in a place for references, by default an empty one or the oldest."""
    kept = memory.kept
    if kept is None:
        return memory
    index = jnp.argmin(kept) if place is None else jnp.asarray(place, jnp.int32)
    from_end = kept.shape[0] - index

    def put(old: Array, new: Array) -> Array:
        return jax.lax.dynamic_update_slice(old, new, (len(old) - from_end * len(new), 0))

    long_term = jax.tree.map(put, memory.long_term, memory.short_term)
    return memory._replace(long_term=long_term, kept=kept.at[index].set(kept.max() + 1))


def long_term_bias(
    config: MemoryConfig, memory: Memory, num_tokens: int
) -> Float[Array, "m"] | None:
    """Returns what masks the long-term keys in places not in use; ``None`` if all always are."""
    policy, places = POLICIES[config.policy], num_places(config)
    if policy.in_use is None and memory.kept is None:
        return None
    num_used = places if policy.in_use is None else policy.in_use(places, memory.num_writes)
    in_use = jnp.arange(places) < num_used
    if memory.kept is not None:
        in_use = jnp.concatenate([in_use, memory.kept > 0])
    return jnp.where(jnp.repeat(in_use, num_tokens), 0.0, MASKED)


FIRST_CAPACITY = 4  # the frames that a bank which grows has room for at first


def with_room_for(config: MemoryConfig, num_frames: int) -> MemoryConfig:
    """Returns the configuration to run with while the memory holds at most so many frames."""
    # A smaller bank, whose size doubles, gives the same: places not in use get no weight.
    if not config.grows or POLICIES[config.policy].places is not None:
        return config
    capacity = FIRST_CAPACITY
    while capacity < num_frames:
        capacity *= 2
    return dataclasses.replace(config, capacity=min(capacity, config.capacity))


def grow_memory(config: MemoryConfig, memory: Memory) -> Memory:
    """Adds unused places to a memory, or to many with leading axes, up to a configuration's."""
    places = num_places(config)

    def pad(long_term: Array, frame: Array) -> Array:
        missing = places * frame.shape[-2] - long_term.shape[-2]
        leading = ((0, 0),) * (frame.ndim - 2)
        return jnp.pad(long_term, (*leading, (0, missing), (0, 0)))

    return memory._replace(long_term=jax.tree.map(pad, memory.long_term, memory.short_term))
