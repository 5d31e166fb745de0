"""The transition that every driver shares: start, segment, memorise.

One frame at network size and one group of up to ten objects, as pure functions of the variables,
the memory and the frame's features::

    memory = start(model, variables, features, mask)                 # the reference frame
    logits, pending = segment(model, variables, memory, features)   # any later frame
    memory = memorise(model, variables, memory, pending, mask, is_due=...)

Segmenting and memorising are separate because the caller chooses what is memorised: the prediction,
a true mask, or a prediction with new objects pasted over it.

Masks hold slots 0..10, and 255 where unknown. ``num_identities`` is the number of channels that a
mask can hold, background included; fewer cost less. Training passes a ``key``, a new one for every
frame, the source of dropout; without a key nothing is dropped.
"""

import jax
from jaxtyping import Array

from mavos_jax.axes import Flag, Image, Logits, Mask, Propagated, Scalar
from mavos_jax.config import NUM_IDENTITIES
from mavos_jax.models.identification import STRIDE
from mavos_jax.models.layers import STREAM
from mavos_jax.models.mavos import MAVOS, Features, Variables
from mavos_jax.models.memory import KeyValue, Memory, Pending, keep_frame, put_frame, start_memory


def encode(
    model: MAVOS, variables: Variables, image: Image, *, key: Array | None = None
) -> Features:
    """Returns the features of a normalised image at network size; groups of objects share them."""
    return _bind(model, variables, key).encode(image)


def start(
    model: MAVOS,
    variables: Variables,
    features: Features,
    mask: Mask,
    *,
    num_identities: int = NUM_IDENTITIES,
) -> Memory:
    """Returns the memory after the reference frame."""
    _, written = propagate_reference(
        model, variables, features, mask, num_identities=num_identities
    )
    return start_memory(model.config.memory, written)


def start_segmented(
    model: MAVOS, variables: Variables, features: Features, mask: Mask, *, key: Array | None = None
) -> tuple[Logits, Memory]:
    """Returns the reference frame's own logits, for training's loss on them, and the memory."""
    propagated, written = propagate_reference(model, variables, features, mask, key=key)
    logits = _bind(model, variables).decode(propagated, features)
    return logits, start_memory(model.config.memory, written)


def segment(
    model: MAVOS,
    variables: Variables,
    memory: Memory,
    features: Features,
    *,
    key: Array | None = None,
) -> tuple[Logits, tuple[Pending, ...]]:
    """Returns the logits of a frame at stride 4, and what :func:`memorise` needs of it."""
    propagated, pending = _bind(model, variables, key).propagate(features, memory)
    return _bind(model, variables).decode(propagated, features), pending


def memorise(
    model: MAVOS,
    variables: Variables,
    memory: Memory,
    pending: tuple[Pending, ...],
    mask: Mask,
    *,
    is_due: Flag | bool,
    num_identities: int = NUM_IDENTITIES,
    key: Array | None = None,
) -> Memory:
    """Returns the memory after a segmented frame, which becomes the short-term memory.

    When a write ``is_due``, because ``gap`` frames have passed since the last write or reference,
    the frame also enters the long-term memory. The caller counts the frames.
    """
    network = _bind(model, variables)
    written = network.remember(pending, network.identify(mask, num_identities))
    size = -(-mask.shape[0] // STRIDE), -(-mask.shape[1] // STRIDE)
    long_term, num_writes = jax.lax.cond(
        is_due,
        lambda: _write(model, variables, memory, written, size, key),
        lambda: (memory.long_term, memory.num_writes),
    )
    return Memory(long_term, written, num_writes, memory.kept)


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
    starts again from it, as ``MemoryConfig.on_label`` says; where there is a place for a further
    reference, it is also kept there.
    """
    _, written = propagate_reference(
        model, variables, features, mask, num_identities=num_identities, key=key
    )
    if model.config.memory.on_label == "restart":
        return start_memory(model.config.memory, written)
    long_term, num_writes = _write(model, variables, memory, written, features.size, key)
    return keep_frame(Memory(long_term, written, num_writes, memory.kept))


def propagate_reference(
    model: MAVOS,
    variables: Variables,
    features: Features,
    mask: Mask,
    *,
    num_identities: int = NUM_IDENTITIES,
    key: Array | None = None,
) -> tuple[Propagated, tuple[KeyValue, ...]]:
    """Runs a frame as its own memory; returns the decoder's input, and what the frame writes."""
    network = _bind(model, variables, key)
    return network.reference(features, network.identify(mask, num_identities))


def _write(
    model: MAVOS,
    variables: Variables,
    memory: Memory,
    frame: tuple[KeyValue, ...],
    size: tuple[int, int],
    key: Array | None,
) -> tuple[tuple[KeyValue, ...], Scalar]:
    """Writes a frame into the long-term memory; the first modulated write is a plain copy."""
    if model.config.memory.is_modulated:
        frame = jax.lax.cond(
            memory.num_writes == 0,
            lambda: frame,
            lambda: _bind(model, variables, key).modulate(frame, memory, size),
        )
    return put_frame(model.config.memory, memory, frame)


def _bind(model: MAVOS, variables: Variables, key: Array | None = None) -> MAVOS:
    """Returns the network with its variables, whose methods can then be called."""
    return model.bind(variables, rngs=None if key is None else {STREAM: key})
