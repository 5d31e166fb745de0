"""One frame of one video: uint8 RGB in, slots and logits out; all groups of objects, all views.

Traced functions, which :mod:`mavos_jax.inference.programs` compiles. Frames and masks come padded.
A video has one view, or several with test-time augmentation, each with a memory of its own: the
mean of the views decides, and each memorises its own prediction. ``groups`` is the number of groups
of ten objects, ``identities`` the channels of a group that can be in use.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mavos_jax.axes import Flag, Frame, Image, Scalar, SourceMask
from mavos_jax.inference import step
from mavos_jax.inference.geometry import Geometries, Geometry
from mavos_jax.inference.objects import (
    identity_probabilities,
    mask_unused,
    most_likely,
    predict_slots,
    put_label,
    split_groups,
)
from mavos_jax.inference.outputs import Confidence, LogitsForm, are_sure, select_logits
from mavos_jax.models.mavos import MAVOS, Features, Variables
from mavos_jax.models.memory import Memory, Pending
from mavos_jax.models.resize import apply_taps

_Tree = TypeVar("_Tree")

MOST_GAPS = 3  # for which a doubtful write waits: an object may never come back
IMAGE_MEAN = np.array((0.485, 0.456, 0.406), np.float32)
IMAGE_DEVIATION = np.array((0.229, 0.224, 0.225), np.float32)


class Network(NamedTuple):
    """A model with its variables, and how every view of a frame enters and leaves it."""

    model: MAVOS
    variables: Variables
    geometries: Geometries


class VideoState(NamedTuple):
    """What is carried from frame to frame; the memories of a view have an axis g of groups."""

    memories: tuple[Memory, ...]
    since_write: Scalar  # frames since the last long-term write or reference, of all groups

    @property
    def groups(self) -> int:
        """Groups of ten objects that have a memory."""
        return self.memories[0].num_writes.shape[0]


Views = tuple[Features, ...]  # the features of every view of a frame

Outputs = tuple[Array, Array | Confidence | None]
"""Padded slots, and what is asked for of the logits; several frames have a leading axis."""


class _Prediction(NamedTuple):
    logits: Float[Array, "g h w o"]
    pending: tuple[Pending, ...]
    slots: SourceMask


def normalise(frame: Float[Array, "h1 w1 3"]) -> Image:
    """Returns a frame of RGB in [0, 255] with ImageNet's mean and deviation taken out."""
    return frame * (1 / (255 * IMAGE_DEVIATION)) - IMAGE_MEAN / IMAGE_DEVIATION


def prepare(geometry: Geometry, frame: Frame) -> Image:
    """Resizes a padded frame to network size and normalises it."""
    return normalise(apply_taps(frame.astype(jnp.float32), *geometry.frame))


def encode_frame(network: Network, frame: Frame) -> Views:
    """Returns the features of a frame."""
    model, variables, geometries = network
    return tuple(step.encode(model, variables, prepare(view, frame)) for view in geometries)


def start_frame(
    network: Network, frame: Frame, slots: SourceMask, *, groups: int, identities: int
) -> VideoState:
    """Returns the state after the first frame, given its slots."""
    views = encode_frame(network, frame)
    memories = (
        _start(network, features, split_groups(view.given_mask(slots), groups), identities)
        for view, features in zip(network.geometries, views, strict=True)
    )
    return VideoState(tuple(memories), jnp.int32(0))


def advance_frame(
    network: Network,
    state: VideoState,
    views: Views,
    memorise_with: SourceMask | None,
    scalars: tuple[Scalar, Scalar],
    *,
    identities: int,
    logits_form: LogitsForm,
    is_real: Flag | None = None,
) -> tuple[VideoState, Outputs]:
    """Segments and memorises a frame.

    ``memorise_with`` holds slots to memorise instead of the predictions; ``scalars`` are the slots
    in use and the gap. Unless the frame ``is_real``, or that is ``None``, the state stays as it
    was.
    """
    num_objects, gap = scalars
    model, variables, geometries = network
    slots, predictions = _predict(network, state, views, num_objects, identities)
    since_write = state.since_write + 1
    is_due = since_write >= gap
    if model.config.memory.write_when == "confident":
        is_sure = are_sure(predictions[0].logits[..., :identities], num_objects)
        is_due &= is_sure | (since_write >= MOST_GAPS * gap)
    if is_real is not None:
        is_due &= is_real
        since_write = _where(is_real, since_write, state.since_write)

    memorise = functools.partial(
        step.memorise, model, variables, is_due=is_due, num_identities=identities
    )
    memories = []
    for view, memory, found in zip(geometries, state.memories, predictions, strict=True):
        mask = view.predicted_mask(found.slots if memorise_with is None else memorise_with)
        masks = split_groups(mask, state.groups)
        after = _over_groups(model, memorise, memory, found.pending, masks)
        if is_real is not None:
            after = after._replace(short_term=_where(is_real, after.short_term, memory.short_term))
        memories.append(after)
    logits = _select(network, predictions, logits_form, identities)
    return VideoState(tuple(memories), jnp.where(is_due, 0, since_write)), (slots, logits)


def label_frame(
    network: Network,
    state: VideoState,
    frame: Frame,
    masks: tuple[SourceMask, SourceMask | None],
    num_objects: Scalar,
    *,
    groups: int,
    identities: tuple[int, int],
    logits_form: LogitsForm,
    erase: bool | Array = True,
) -> tuple[VideoState, Outputs]:
    """Segments a frame that also brings a label, and makes it a reference.

    ``masks`` are the slots of the label, and those to memorise under it instead of the prediction.
    ``num_objects`` counts before the label, ``groups`` after it, ``identities`` before and after.
    New objects may need more groups, whose memories start with this frame. Objects that the label
    shows lose their other pixels if it may ``erase``, as in ``put_label``.
    """
    label, given = masks
    before, after = identities
    geometries, views = network.geometries, encode_frame(network, frame)
    slots, predictions = _predict(network, state, views, num_objects, before)
    memories = []
    for view, memory, features, found in zip(
        geometries, state.memories, views, predictions, strict=True
    ):
        mask = put_label(label, found.slots if given is None else given, erase=erase)
        parts = split_groups(view.predicted_mask(mask), groups)
        memories.append(_refer(network, memory, features, parts, after))
    logits = _select(network, predictions, logits_form, before)
    return VideoState(tuple(memories), jnp.int32(0)), (put_label(label, slots, erase=erase), logits)


def _predict(
    network: Network, state: VideoState, views: Views, num_objects: Scalar, identities: int
) -> tuple[Array, tuple[_Prediction, ...]]:
    """Segments a frame from memory: the slots that the views decide together, and each view's."""
    model, variables, geometries = network
    found = []
    for memory, features in zip(state.memories, views, strict=True):
        logits, pending = _over_groups(
            model, lambda memory, x=features: step.segment(model, variables, memory, x), memory
        )
        found.append((mask_unused(logits, num_objects), pending))
    if len(found) == 1:
        ((logits, pending),) = found
        output, groups = geometries[0].output, model.backend.groups
        slots = predict_slots(logits, output, channels=identities, groups=groups)
        return slots, (_Prediction(logits, pending, slots),)
    chances = [
        identity_probabilities(logits, view.output, channels=identities)
        for (logits, _), view in zip(found, geometries, strict=True)
    ]
    slots = most_likely(sum(chances[1:], chances[0]) / len(chances))
    return slots, tuple(
        _Prediction(logits, pending, most_likely(chance))
        for (logits, pending), chance in zip(found, chances, strict=True)
    )


def _select(
    network: Network, predictions: tuple[_Prediction, ...], form: LogitsForm, identities: int
) -> Array | Confidence | None:
    pairs = zip(predictions, network.geometries, strict=True)
    return select_logits([(found.logits, view.output) for found, view in pairs], form, identities)


def _start(network: Network, features: Features, masks: Array, identities: int) -> Memory:
    model, variables, _ = network
    return _over_groups(
        model,
        lambda mask: step.start(model, variables, features, mask, num_identities=identities),
        masks,
    )


def _refer(
    network: Network, memory: Memory, features: Features, masks: Array, identities: int
) -> Memory:
    """Returns the memories of groups, known and new ones, after a later reference frame."""
    model, variables, _ = network
    known = memory.num_writes.shape[0]
    memory = _over_groups(
        model,
        lambda memory, mask: step.memorise_reference(
            model, variables, memory, features, mask, num_identities=identities
        ),
        memory,
        masks[:known],
    )
    if len(masks) == known:
        return memory
    added = _start(network, features, masks[known:], identities)
    return jax.tree.map(lambda x, y: jnp.concatenate([x, y]), memory, added)


def _where(condition: Flag, new: _Tree, old: _Tree) -> _Tree:
    return jax.tree.map(lambda new, old: jnp.where(condition, new, old), new, old)


def _over_groups(model: MAVOS, function: Callable[..., Any], *operands: Any) -> Any:
    groups = jax.tree.leaves(operands)[0].shape[0]
    if groups == 1:
        result = function(*jax.tree.map(lambda x: x[0], operands))
        return jax.tree.map(lambda x: x[None], result)
    if model.backend.groups == "batched":
        return jax.vmap(function)(*operands)
    return jax.lax.map(lambda operands: function(*operands), operands)
