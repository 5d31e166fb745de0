"""The memory: what a frame leaves behind, and the fixed-size state that holds it.

All shapes are fixed from the reference frame on, so a memory is the carry of a ``jax.lax.scan``.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from mavos_jax.axes import Scalar
from mavos_jax.config import MemoryConfig
from mavos_jax.models.attention import MASKED


class KeyValue(NamedTuple):
    """What one E-LSTT block remembers of one or more frames.

    Attributes:
      key: [m, k], also the query of the frame itself.
      value: [m, v], the visual and the identity value side by side, so that one product with the
        attention weights propagates both.
    """

    key: Float[Array, "m k"]
    value: Float[Array, "m v"]


class Current(NamedTuple):
    """What one block keeps of a frame until its mask is known.

    Attributes:
      key: [n, k].
      visual_value: [n, v / 2].
      identity: [n, d], the normalised identity state, or ``None`` in the first block, where the
        identity branch is still empty.
    """

    key: Float[Array, "n k"]
    visual_value: Float[Array, "n e"]
    identity: Float[Array, "n d"] | None


class Memory(NamedTuple):
    """The memory of one group of objects.

    Attributes:
      long_term: per block, the tokens of ``MemoryConfig.num_frames`` frames one after the other.
        Policy ``mca``: dynamic, reference. Policy ``bank``: reference, then written frames as a
        ring.
      short_term: per block, the previous frame.
      num_writes: frames written to the long-term memory beside the reference.
    """

    long_term: tuple[KeyValue, ...]
    short_term: tuple[KeyValue, ...]
    num_writes: Scalar


def start_memory(config: MemoryConfig, reference: tuple[KeyValue, ...]) -> Memory:
    """Returns the memory after the reference frame.

    The dynamic memory of ``mca`` starts as a copy of the reference: a softmax over a set of keys
    that is there twice gives the same result as over the set, so the fixed shape is exact.
    """
    spare = config.num_frames - 1

    def room(x: Array) -> Array:
        if config.policy == "mca":
            return jnp.concatenate([x, x])
        return jnp.pad(x, ((0, spare * x.shape[0]), (0, 0)))

    return Memory(jax.tree.map(room, reference), reference, jnp.int32(0))


def dynamic_part(long_term: tuple[KeyValue, ...], num_tokens: int) -> tuple[KeyValue, ...]:
    """Returns the dynamic memory of policy ``mca``: the first frame's tokens."""
    return jax.tree.map(lambda x: x[:num_tokens], long_term)


def put_frame(
    config: MemoryConfig,
    long_term: tuple[KeyValue, ...],
    frame: tuple[KeyValue, ...],
    num_writes: Scalar,
) -> tuple[KeyValue, ...]:
    """Puts a frame's tokens in their place: the dynamic part, or the bank's oldest slot.

    A full bank drops its oldest written frame; the reference stays. ``num_writes`` counts the
    writes before this one.
    """
    slot = jnp.int32(0) if config.policy == "mca" else 1 + num_writes % (config.capacity - 1)

    def put(old: Array, new: Array) -> Array:
        return jax.lax.dynamic_update_slice(old, new, (slot * new.shape[0], 0))

    return jax.tree.map(put, long_term, frame)


def long_term_bias(
    config: MemoryConfig, num_writes: Scalar, num_tokens: int
) -> Float[Array, "m"] | None:
    """Returns what to add to the logits of long-term keys: masks the bank's unused frames.

    ``None`` for policy ``mca``, whose places are always in use.
    """
    if config.policy == "mca":
        return None
    in_use = jnp.minimum(num_writes + 1, config.capacity)
    frame = jnp.arange(config.capacity * num_tokens) // num_tokens
    return jnp.where(frame < in_use, 0.0, MASKED)
