"""The transition that every driver shares: start, segment, memorise.

One frame at network size and one group of up to ten objects, as pure functions of the variables,
the memory and the frame's features::

    memory = start(model, variables, features, mask)                 # the reference frame
    logits, currents = segment(model, variables, memory, features)   # any later frame
    memory = memorise(model, variables, memory, currents, mask, is_due=...)

Segmenting and memorising are apart because what is memorised is the caller's choice: the
prediction, a true mask, or a prediction with new objects pasted over it.

A training pass gives a ``key``, a new one for every frame, from which the networks draw what they
drop; without it nothing is dropped.
"""

from __future__ import annotations

from typing import Any

import jax
from jaxtyping import Array

from mavos_jax.axes import Flag, Image, Logits, Mask, Propagated
from mavos_jax.config import NUM_IDENTITIES
from mavos_jax.models.identification import STRIDE
from mavos_jax.models.layers import STREAM
from mavos_jax.models.mavos import MAVOS, Features, Variables
from mavos_jax.models.memory import Current, KeyValue, Memory, put_frame, start_memory


def encode(
    model: MAVOS, variables: Variables, image: Image, *, key: Array | None = None
) -> Features:
    """Returns the features of a normalised image at network size; groups of objects share them."""
    return _apply(model, variables, "encode", image, key=key)


def start(
    model: MAVOS,
    variables: Variables,
    features: Features,
    mask: Mask,
    *,
    num_identities: int = NUM_IDENTITIES,
) -> Memory:
    """Returns the memory after the reference frame.

    Args:
      model: the network.
      variables: its variables.
      features: of the reference frame.
      mask: its mask at network size: slots 0..10, 255 where unknown.
      num_identities: channels that the mask can hold, background included.
    """
    _, written = refer(model, variables, features, mask, num_identities=num_identities)
    return start_memory(model.config.memory, written)


def start_segmented(
    model: MAVOS,
    variables: Variables,
    features: Features,
    mask: Mask,
    *,
    key: Array | None = None,
) -> tuple[Logits, Memory]:
    """Returns the reference frame's own logits beside the memory; training has a loss on them."""
    propagated, written = refer(model, variables, features, mask, key=key)
    logits = _apply(model, variables, "decode", propagated, features)
    return logits, start_memory(model.config.memory, written)


def refer(
    model: MAVOS,
    variables: Variables,
    features: Features,
    mask: Mask,
    *,
    num_identities: int = NUM_IDENTITIES,
    key: Array | None = None,
) -> tuple[Propagated, tuple[KeyValue, ...]]:
    """Runs a frame with a known mask as a reference: it is its own memory.

    Returns:
      The decoder's input, and what the frame writes into memory.
    """
    identification = _apply(model, variables, "identify", mask, num_identities)
    return _apply(model, variables, "reference", features, identification, key=key)


def segment(
    model: MAVOS,
    variables: Variables,
    memory: Memory,
    features: Features,
    *,
    key: Array | None = None,
) -> tuple[Logits, tuple[Current, ...]]:
    """Segments a frame from memory, which is left as it is.

    Returns:
      Logits [h4, w4, 11] at stride 4, and what :func:`memorise` needs of the frame.
    """
    propagated, currents = _apply(model, variables, "propagate", features, memory, key=key)
    return _apply(model, variables, "decode", propagated, features), currents


def memorise(
    model: MAVOS,
    variables: Variables,
    memory: Memory,
    currents: tuple[Current, ...],
    mask: Mask,
    *,
    is_due: Flag | bool,
    num_identities: int = NUM_IDENTITIES,
    key: Array | None = None,
) -> Memory:
    """Returns the memory after a segmented frame.

    The frame becomes the short-term memory; when a write is due it also enters the long-term
    memory.

    Args:
      model: the network.
      variables: its variables.
      memory: before the frame.
      currents: from :func:`segment`.
      mask: what to memorise, at network size: slots 0..10, 255 where unknown.
      is_due: whether ``gap`` frames have passed since the last write or reference; the caller
        counts, because training knows beforehand (see ``VideoState.since_write``).
      num_identities: channels that the mask can hold, background included.
      key: for what training drops.
    """
    identification = _apply(model, variables, "identify", mask, num_identities)
    written = _apply(model, variables, "remember", currents, identification)
    size = _map_size(mask)
    long_term, num_writes = jax.lax.cond(
        is_due,
        lambda: _write(model, variables, memory, written, size, key),
        lambda: (memory.long_term, memory.num_writes),
    )
    return Memory(long_term, written, num_writes)


def memorise_reference(
    model: MAVOS,
    variables: Variables,
    memory: Memory,
    features: Features,
    mask: Mask,
    *,
    num_identities: int = NUM_IDENTITIES,
    key: Array | None = None,
) -> Memory:
    """Returns the memory after a later reference frame, one that brings new objects.

    The frame runs as a reference of its own. It is then written by the usual rule, or the memory
    starts again from it, as ``MemoryConfig.on_label`` says.
    """
    _, written = refer(model, variables, features, mask, num_identities=num_identities, key=key)
    if model.config.memory.on_label == "restart":
        return start_memory(model.config.memory, written)
    long_term, num_writes = _write(model, variables, memory, written, features.size, key)
    return Memory(long_term, written, num_writes)


def _write(
    model: MAVOS,
    variables: Variables,
    memory: Memory,
    frame: tuple[KeyValue, ...],
    size: tuple[int, int],
    key: Array | None = None,
) -> tuple[tuple[KeyValue, ...], jax.Array]:
    """Writes a frame into the long-term memory; the first modulated write is a plain copy."""
    if model.config.memory.is_modulated:
        frame = jax.lax.cond(
            memory.num_writes == 0,
            lambda: frame,
            lambda: _apply(model, variables, "modulate", frame, memory, size, key=key),
        )
    return put_frame(model.config.memory, memory, frame)


def _map_size(mask: Mask) -> tuple[int, int]:
    rows, columns = mask.shape
    return -(-rows // STRIDE), -(-columns // STRIDE)


def _apply(
    model: MAVOS, variables: Variables, method: str, *args: Any, key: Array | None = None
) -> Any:
    rngs = None if key is None else {STREAM: key}
    return model.apply(variables, *args, method=method, rngs=rngs)
