"""The compiled programs: the first frame, a chunk of frames, a frame with new objects.

Each is traced once per model, frame size, number of groups, channel bucket and form of its
arguments: frames of a chunk, which logits, whether masks to memorise are given.
"""

from __future__ import annotations

import functools
from typing import Any, Literal

import jax
import jax.numpy as jnp

from mavos_jax.axes import Array, Frame, Frames, Scalar, SourceMask
from mavos_jax.config import MAX_OBJECTS, NUM_IDENTITIES
from mavos_jax.inference.frame import (
    VideoState,
    frame_network_size,
    memorise_frame,
    refer_frame,
    segment_frame,
    start_frame,
)
from mavos_jax.inference.objects import merged_logits
from mavos_jax.models.mavos import MAVOS, Variables

LogitsForm = Literal["none", "stride4", "merged"]
"""Which logits a program returns: none, one group's at stride 4, or all groups' merged."""

DECODER_STRIDE = 4
MERGED_STEP = 4
"""Merged logits are returned at every fourth row and column of the source."""


@functools.partial(jax.jit, static_argnames=("model", "groups", "identities"))
def start_video(
    model: MAVOS,
    variables: Variables,
    frame: Frame,
    slots: SourceMask,
    *,
    groups: int,
    identities: int,
) -> VideoState:
    """The compiled :func:`~mavos_jax.inference.frame.start_frame`."""
    return start_frame(model, variables, frame, slots, groups=groups, identities=identities)


@functools.partial(
    jax.jit,
    static_argnames=("model", "identities", "logits_form"),
    donate_argnames=("state",),
)
def segment_chunk(
    model: MAVOS,
    variables: Variables,
    state: VideoState,
    frames: Frames,
    memorise_with: Array | None,
    scalars: tuple[Scalar, Scalar, Scalar],
    *,
    identities: int,
    logits_form: LogitsForm,
) -> tuple[VideoState, tuple[Array, Array | None]]:
    """Segments and memorises a chunk of frames in one scan.

    Args:
      model: the network.
      variables: its variables.
      state: after the frame before the chunk; donated.
      frames: uint8 [t, H, W, 3]; always the same t, the last chunk is filled up.
      memorise_with: slots [t, H, W] to memorise instead of the predictions, or ``None``.
      scalars: frames that are real, slots in use, and the gap between writes.
      identities: channels of a group that can be in use.
      logits_form: which logits to return.

    Returns:
      The state, and slots [t, H, W] with the logits, if asked for, of every frame. What belongs to
      a frame that only fills the chunk is zero.
    """
    num_frames, num_objects, gap = scalars
    size = (frames.shape[1], frames.shape[2])
    shape = logits_shape(model, size, state.memory.num_writes.shape[0], logits_form)

    def segment(state: VideoState, frame: Frame, given: SourceMask | None) -> Any:
        prediction = segment_frame(
            model, variables, state, frame, num_objects, identities=identities
        )
        slots = prediction.slots if given is None else given
        state = memorise_frame(
            model, variables, state, prediction, slots, gap, identities=identities
        )
        return state, (
            prediction.slots,
            _select_logits(model, prediction.logits, frame, logits_form),
        )

    def body(carry: tuple[VideoState, Scalar], inputs: tuple[Frame, SourceMask | None]) -> Any:
        (state, index), (frame, given) = carry, inputs

        def skip() -> Any:
            logits = None if shape is None else jnp.zeros(shape)
            return state, (jnp.zeros(size, jnp.uint8), logits)

        state, outputs = jax.lax.cond(
            index < num_frames, lambda: segment(state, frame, given), skip
        )
        return (state, index + 1), outputs

    (state, _), outputs = jax.lax.scan(body, (state, jnp.int32(0)), (frames, memorise_with))
    return state, outputs


@functools.partial(jax.jit, static_argnames=("model", "groups", "identities", "logits_form"))
def label_frame(
    model: MAVOS,
    variables: Variables,
    state: VideoState,
    frame: Frame,
    masks: tuple[SourceMask, SourceMask | None],
    num_objects: Scalar,
    *,
    groups: int,
    identities: tuple[int, int],
    logits_form: LogitsForm,
) -> tuple[VideoState, tuple[Array, Array | None]]:
    """Segments a frame that also brings labels, and makes it a reference.

    Args:
      model: the network.
      variables: its variables.
      state: after the frame before.
      frame: at source size.
      masks: the label's slots, and the slots to memorise under it instead of the prediction.
      num_objects: slots in use before the label.
      groups: groups after the label.
      identities: channels of a group that can be in use, before and after the label.
      logits_form: which logits to return.

    Returns:
      The state, and the slots with the label pasted over the prediction, with the logits.
    """
    label, given = masks
    before, after = identities
    prediction = segment_frame(model, variables, state, frame, num_objects, identities=before)

    def paste(slots: Array) -> Array:
        return jnp.where(label > 0, label, slots)

    memorised = paste(prediction.slots if given is None else given)
    state = refer_frame(
        model, variables, state, prediction.features, memorised, groups=groups, identities=after
    )
    logits = _select_logits(model, prediction.logits, frame, logits_form)
    return state, (paste(prediction.slots), logits)


def logits_shape(
    model: MAVOS, size: tuple[int, int], groups: int, logits_form: LogitsForm
) -> tuple[int, int, int] | None:
    """Returns the shape of the logits of one frame of source size ``size``, ``None`` for none."""
    if logits_form == "none":
        return None
    if logits_form == "merged":
        rows, columns = (-(-n // MERGED_STEP) for n in size)
        return rows, columns, 1 + MAX_OBJECTS * groups
    rows, columns = (-(-n // DECODER_STRIDE) for n in frame_network_size(model, size))
    return rows, columns, NUM_IDENTITIES


def _select_logits(
    model: MAVOS, logits: Array, frame: Frame, logits_form: LogitsForm
) -> Array | None:
    if logits_form == "none":
        return None
    if logits_form == "stride4":
        return logits[0]
    size, corners = (frame.shape[0], frame.shape[1]), model.config.align_corners
    return merged_logits(logits, size, align_corners=corners, step=MERGED_STEP)
