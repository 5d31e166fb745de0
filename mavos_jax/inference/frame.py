"""One frame of a video at source size: uint8 RGB in, uint8 slots out, all groups of objects.

Normalising, resizing, the transition for every group, and the argmax are one traced function; the
drivers in :mod:`mavos_jax.inference.video` compile it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8

from mavos_jax.axes import Frame, Image, Scalar, SourceMask
from mavos_jax.inference import step
from mavos_jax.inference.objects import (
    mask_unused,
    predict_slots,
    split_groups,
)
from mavos_jax.models.mavos import MAVOS, Features, Variables
from mavos_jax.models.memory import Current, Memory
from mavos_jax.models.resize import network_size, resize_cubic, resize_nearest

IMAGE_MEAN = np.array((0.485, 0.456, 0.406), np.float32)
IMAGE_DEVIATION = np.array((0.229, 0.224, 0.225), np.float32)


class VideoState(NamedTuple):
    """What is carried from frame to frame.

    Attributes:
      memory: the memories of all groups: every array has a leading axis g.
      since_write: frames since the last long-term write or reference, first or later. All groups
        share it: a later reference makes every group write.
    """

    memory: Memory
    since_write: Scalar


class Prediction(NamedTuple):
    """What a segmented frame gives.

    Attributes:
      slots: the slot of each pixel at source size.
      logits: stride-4 logits of each group, -1e10 for identities not in use.
      features: of the frame.
      currents: what memorising needs, with a leading axis g.
    """

    slots: UInt8[Array, "H W"]
    logits: Float[Array, "g h w o"]
    features: Features
    currents: tuple[Current, ...]


def frame_network_size(model: MAVOS, size: tuple[int, int]) -> tuple[int, int]:
    """Returns the network size of frames of a source size."""
    config = model.config
    return network_size(
        *size, align_corners=config.align_corners, max_long_edge=config.inference.max_long_edge
    )


def prepare(model: MAVOS, frame: Frame) -> Image:
    """Resizes a frame to network size and normalises it."""
    size = frame_network_size(model, (frame.shape[0], frame.shape[1]))
    return normalise(resize_cubic(frame.astype(jnp.float32), size))


def normalise(frame: Float[Array, "h1 w1 3"]) -> Image:
    """Returns a frame of RGB in [0, 255] with ImageNet's mean and deviation taken out."""
    return frame * (1 / (255 * IMAGE_DEVIATION)) - IMAGE_MEAN / IMAGE_DEVIATION


def start_frame(
    model: MAVOS,
    variables: Variables,
    frame: Frame,
    slots: SourceMask,
    *,
    groups: int,
    identities: int,
) -> VideoState:
    """Returns the state after the first frame, whose slots are given at source size."""
    features = step.encode(model, variables, prepare(model, frame))
    masks = _network_masks(model, slots, groups)
    memory = _over_groups(
        model,
        lambda mask: step.start(model, variables, features, mask, num_identities=identities),
        masks,
    )
    return VideoState(memory, jnp.int32(0))


def segment_frame(
    model: MAVOS,
    variables: Variables,
    state: VideoState,
    frame: Frame,
    num_objects: Scalar,
    *,
    identities: int,
) -> Prediction:
    """Segments a frame from memory.

    Args:
      model: the network.
      variables: its variables.
      state: after the frame before.
      frame: at source size.
      num_objects: slots in use over all groups.
      identities: channels of a group that can be in use.
    """
    features = step.encode(model, variables, prepare(model, frame))
    logits, currents = _over_groups(
        model, lambda memory: step.segment(model, variables, memory, features), state.memory
    )
    logits = mask_unused(logits, num_objects)
    size, corners = (frame.shape[0], frame.shape[1]), model.config.align_corners
    slots = predict_slots(logits, size, channels=identities, align_corners=corners)
    return Prediction(slots, logits, features, currents)


def memorise_frame(
    model: MAVOS,
    variables: Variables,
    state: VideoState,
    prediction: Prediction,
    slots: SourceMask,
    gap: Scalar,
    *,
    identities: int,
) -> VideoState:
    """Returns the state after a frame with ``slots`` at source size as its mask.

    Args:
      model: the network.
      variables: its variables.
      state: before the frame.
      prediction: of the frame.
      slots: what to memorise.
      gap: frames between two long-term writes.
      identities: channels of a group that can be in use.
    """
    since_write = state.since_write + 1
    is_due = since_write >= gap
    groups = state.memory.num_writes.shape[0]
    memory = _over_groups(
        model,
        lambda memory, currents, mask: step.memorise(
            model, variables, memory, currents, mask, is_due=is_due, num_identities=identities
        ),
        state.memory,
        prediction.currents,
        _network_masks(model, slots, groups),
    )
    return VideoState(memory, jnp.where(is_due, 0, since_write))


def refer_frame(
    model: MAVOS,
    variables: Variables,
    state: VideoState,
    features: Features,
    slots: SourceMask,
    *,
    groups: int,
    identities: int,
) -> VideoState:
    """Returns the state after a later reference frame; new objects may add groups.

    A group that is new starts its memory with this frame.
    """
    masks = _network_masks(model, slots, groups)
    known = state.memory.num_writes.shape[0]
    memory = _over_groups(
        model,
        lambda memory, mask: step.memorise_reference(
            model, variables, memory, features, mask, num_identities=identities
        ),
        state.memory,
        masks[:known],
    )
    if groups > known:
        added = _over_groups(
            model,
            lambda mask: step.start(model, variables, features, mask, num_identities=identities),
            masks[known:],
        )
        memory = jax.tree.map(lambda x, y: jnp.concatenate([x, y]), memory, added)
    return VideoState(memory, jnp.int32(0))


def _network_masks(model: MAVOS, slots: SourceMask, groups: int) -> Array:
    size = frame_network_size(model, (slots.shape[0], slots.shape[1]))
    return split_groups(resize_nearest(slots, size), groups)


def _over_groups(model: MAVOS, function: Callable[..., Any], *operands: Any) -> Any:
    """Maps a function of one group over the leading axis of its operands."""
    groups = jax.tree.leaves(operands)[0].shape[0]
    if groups == 1:
        result = function(*jax.tree.map(lambda x: x[0], operands))
        return jax.tree.map(lambda x: x[None], result)
    if model.forms.groups == "batched":
        return jax.vmap(function)(*operands)
    return jax.lax.map(lambda operands: function(*operands), operands)
