"""One frame of a video: uint8 RGB in, logits out, all groups of objects.

Resizing, normalising, and the transition for every group are traced functions; the drivers in
:mod:`mavos_jax.inference.video` compile them. Frames come padded, see
:mod:`mavos_jax.inference.geometry`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mavos_jax.axes import Flag, Frame, Image, Mask, Scalar
from mavos_jax.inference import step
from mavos_jax.inference.geometry import Geometry
from mavos_jax.inference.objects import mask_unused, split_groups
from mavos_jax.models.mavos import MAVOS, Features, Variables
from mavos_jax.models.memory import Memory, Pending
from mavos_jax.models.resize import apply_taps

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
      logits: stride-4 logits of each group, -1e10 for identities not in use.
      features: of the frame.
      pending: what memorising needs, with a leading axis g.
    """

    logits: Float[Array, "g h w o"]
    features: Features
    pending: tuple[Pending, ...]


def prepare(geometry: Geometry, frame: Frame) -> Image:
    """Resizes a padded frame to network size and normalises it."""
    return normalise(apply_taps(frame.astype(jnp.float32), *geometry.frame))


def encode_frame(model: MAVOS, variables: Variables, geometry: Geometry, frame: Frame) -> Features:
    """Returns the features of a padded frame."""
    return step.encode(model, variables, prepare(geometry, frame))


def normalise(frame: Float[Array, "h1 w1 3"]) -> Image:
    """Returns a frame of RGB in [0, 255] with ImageNet's mean and deviation taken out."""
    return frame * (1 / (255 * IMAGE_DEVIATION)) - IMAGE_MEAN / IMAGE_DEVIATION


def start_frame(
    model: MAVOS,
    variables: Variables,
    image: Image,
    mask: Mask,
    *,
    groups: int,
    identities: int,
) -> VideoState:
    """Returns the state after the first frame, whose slots are given.

    Args:
      model: the network.
      variables: its variables.
      image: the frame, from :func:`prepare`.
      mask: its slots at network size.
      groups: of objects.
      identities: channels of a group that can be in use.
    """
    features = step.encode(model, variables, image)
    masks = split_groups(mask, groups)
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
    features: Features,
    num_objects: Scalar,
) -> Prediction:
    """Segments a frame from memory.

    Args:
      model: the network.
      variables: its variables.
      state: after the frame before.
      features: of the frame, see :func:`encode_frame`.
      num_objects: slots in use over all groups.
    """
    logits, pending = _over_groups(
        model, lambda memory: step.segment(model, variables, memory, features), state.memory
    )
    return Prediction(mask_unused(logits, num_objects), features, pending)


def memorise_frame(
    model: MAVOS,
    variables: Variables,
    state: VideoState,
    prediction: Prediction,
    mask: Mask,
    gap: Scalar,
    *,
    identities: int,
    is_real: Flag | None = None,
) -> VideoState:
    """Returns the state after a frame.

    Args:
      model: the network.
      variables: its variables.
      state: before the frame.
      prediction: of the frame.
      mask: slots to memorise, at network size.
      gap: frames between two long-term writes.
      identities: channels of a group that can be in use.
      is_real: whether the frame counts; else the state stays as it was. ``None``: it does.
    """
    since_write = state.since_write + 1
    is_due = since_write >= gap
    if is_real is not None:
        is_due &= is_real
    groups = state.memory.num_writes.shape[0]
    memory = _over_groups(
        model,
        lambda memory, pending, mask: step.memorise(
            model, variables, memory, pending, mask, is_due=is_due, num_identities=identities
        ),
        state.memory,
        prediction.pending,
        split_groups(mask, groups),
    )
    if is_real is not None:
        since_write = jnp.where(is_real, since_write, state.since_write)
        short_term = jax.tree.map(
            lambda new, old: jnp.where(is_real, new, old),
            *(memory.short_term, state.memory.short_term),
        )
        memory = memory._replace(short_term=short_term)
    return VideoState(memory, jnp.where(is_due, 0, since_write))


def memorise_label(
    model: MAVOS,
    variables: Variables,
    state: VideoState,
    features: Features,
    mask: Mask,
    *,
    groups: int,
    identities: int,
) -> VideoState:
    """Returns the state after a later reference frame; new objects may add groups.

    A group that is new starts its memory with this frame.

    Args:
      model: the network.
      variables: its variables.
      state: before the frame.
      features: of the frame.
      mask: its slots at network size.
      groups: after the frame.
      identities: channels of a group that can be in use.
    """
    masks = split_groups(mask, groups)
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


def _over_groups(model: MAVOS, function: Callable[..., Any], *operands: Any) -> Any:
    """Maps a function of one group over the leading axis of its operands."""
    groups = jax.tree.leaves(operands)[0].shape[0]
    if groups == 1:
        result = function(*jax.tree.map(lambda x: x[0], operands))
        return jax.tree.map(lambda x: x[None], result)
    if model.backend.groups == "batched":
        return jax.vmap(function)(*operands)
    return jax.lax.map(lambda operands: function(*operands), operands)
