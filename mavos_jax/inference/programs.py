"""The compiled programs: the first frame, a chunk of frames, a frame with a later mask.

Each is traced once per model, padded frame size, network sizes of the views, number of groups,
channel bucket and form of its arguments: frames of a chunk, which logits, whether masks to memorise
are given.
"""

from __future__ import annotations

import functools
from typing import Literal

import jax
import jax.numpy as jnp

from mavos_jax.axes import Array, Flag, Frame, Frames, Scalar, SourceMask
from mavos_jax.config import MAX_OBJECTS, NUM_IDENTITIES
from mavos_jax.inference.frame import (
    Prediction,
    VideoState,
    encode_frame,
    memorise_frame,
    memorise_label,
    prepare,
    segment_frame,
    start_frame,
)
from mavos_jax.inference.geometry import Geometry
from mavos_jax.inference.objects import (
    identity_probabilities,
    merged_logits,
    most_likely,
    predict_slots,
    put_label,
)
from mavos_jax.models.mavos import MAVOS, Features, Variables
from mavos_jax.models.resize import ResizeTaps
from mavos_jax.runtime.devices import GraphProgram

LogitsForm = Literal["none", "stride4", "merged"]
"""Which logits a program returns: none, one group's at stride 4, or all groups' merged."""

DECODER_STRIDE = 4
MERGED_STEP = 4
"""Merged logits are returned at every fourth row and column of the output."""

States = tuple[VideoState, ...]
"""The state of every view."""

Geometries = tuple[Geometry, ...]
"""The geometry of every view."""

Views = tuple[Features, ...]
"""The features of every view of a frame."""

Outputs = tuple[Array, Array | None]
"""Slots, and logits if asked for; of one frame, or of several with a leading axis."""


@functools.partial(jax.jit, static_argnames=("model", "groups", "identities"))
def start_video(
    model: MAVOS,
    variables: Variables,
    geometries: Geometries,
    frame: Frame,
    slots: SourceMask,
    *,
    groups: int,
    identities: int,
) -> States:
    """Returns the state of every view after the first frame.

    Args:
      model: the network.
      variables: its variables.
      geometries: of the views.
      frame: uint8 [H, W, 3], padded.
      slots: of the objects, at the frame's size without padding.
      groups: of objects.
      identities: channels of a group that can be in use.
    """
    return tuple(
        start_frame(
            model,
            variables,
            prepare(geometry, frame),
            geometry.given_mask(slots),
            groups=groups,
            identities=identities,
        )
        for geometry in geometries
    )


@functools.partial(
    GraphProgram,
    static_argnames=("model", "identities", "logits_form"),
    donate_argnames=("states",),
)
def segment_chunk(
    model: MAVOS,
    variables: Variables,
    geometries: Geometries,
    states: States,
    frames: Frames,
    memorise_with: Array | None,
    scalars: tuple[Scalar, Scalar, Scalar],
    *,
    identities: int,
    logits_form: LogitsForm,
) -> tuple[States, Outputs]:
    """Segments and memorises a chunk of frames in one scan.

    Args:
      model: the network.
      variables: its variables.
      geometries: of the views.
      states: after the frame before the chunk; donated.
      frames: uint8 [t, H, W, 3], padded; always the same t, the last chunk is filled up.
      memorise_with: slots [t, H, W] of the output's size, padded, to memorise instead of the
        predictions, or ``None``.
      scalars: frames that are real, slots in use, and the gap between writes.
      identities: channels of a group that can be in use.
      logits_form: which logits to return; "none" for several views.

    Returns:
      The states, and padded slots [t, H, W] with the logits, if asked for, of every frame. What
      belongs to a frame that only fills the chunk means nothing.
    """
    num_frames, num_objects, gap = scalars
    encode = functools.partial(_encode_views, model, variables, geometries)
    encoded = jax.vmap(encode)(frames) if model.backend.encoder == "chunk" else None
    entering, leaving = geometries[0].network_size, geometries[0].output_size
    shape = logits_shape(entering, leaving, states[0].memory.num_writes.shape[0], logits_form)

    def advance(states: States, index: Scalar, is_real: Flag | None) -> tuple[States, Outputs]:
        frame, given = jax.tree.map(
            lambda x: jax.lax.dynamic_index_in_dim(x, index, keepdims=False),
            (frames if encoded is None else encoded, memorise_with),
        )
        views = encode(frame) if encoded is None else frame
        predictions = _segment_views(model, variables, states, views, num_objects)
        slots, own = _decide(geometries, predictions, identities)
        states = tuple(
            memorise_frame(
                *(model, variables, state, prediction),
                geometry.predicted_mask(view_slots if given is None else given),
                gap,
                identities=identities,
                is_real=is_real,
            )
            for geometry, state, prediction, view_slots in zip(
                geometries, states, predictions, own, strict=True
            )
        )
        return states, (slots, _select_logits(geometries[0], predictions[0], logits_form))

    if model.backend.short_chunk == "discards":
        return jax.lax.scan(
            lambda states, index: advance(states, index, index < num_frames),
            states,
            jnp.arange(len(frames)),
        )

    def put(index: Scalar, carry: tuple[States, Outputs]) -> tuple[States, Outputs]:
        states, outputs = advance(carry[0], index, None)
        return states, jax.tree.map(
            lambda x, y: jax.lax.dynamic_update_index_in_dim(x, y, index, axis=0),
            *(carry[1], outputs),
        )

    slots = jnp.zeros((len(frames), *leaving), jnp.uint8)
    logits = None if shape is None else jnp.zeros((len(frames), *shape))
    return jax.lax.fori_loop(0, num_frames, put, (states, (slots, logits)))


@functools.partial(jax.jit, static_argnames=("model", "groups", "identities", "logits_form"))
def label_frame(
    model: MAVOS,
    variables: Variables,
    geometries: Geometries,
    states: States,
    frame: Frame,
    masks: tuple[SourceMask, SourceMask | None],
    num_objects: Scalar,
    *,
    groups: int,
    identities: tuple[int, int],
    logits_form: LogitsForm,
) -> tuple[States, Outputs]:
    """Segments a frame that also brings a label, and makes it a reference.

    Objects that the label shows get its pixels and lose all others; the rest of the prediction
    stays where the label is zero.

    Args:
      model: the network.
      variables: its variables.
      geometries: of the views.
      states: after the frame before.
      frame: uint8 [H, W, 3], padded.
      masks: the label's slots, and the slots to memorise under it instead of the prediction; of the
        output's size, padded.
      num_objects: slots in use before the label.
      groups: groups after the label.
      identities: channels of a group that can be in use, before and after the label.
      logits_form: which logits to return; "none" for several views.

    Returns:
      The states, and the padded slots with the label over the prediction, with the logits.
    """
    label, given = masks
    before, after = identities
    views = _encode_views(model, variables, geometries, frame)
    predictions = _segment_views(model, variables, states, views, num_objects)
    slots, own = _decide(geometries, predictions, before)

    states = tuple(
        memorise_label(
            *(model, variables, state, prediction.features),
            geometry.predicted_mask(put_label(label, view_slots if given is None else given)),
            groups=groups,
            identities=after,
        )
        for geometry, state, prediction, view_slots in zip(
            geometries, states, predictions, own, strict=True
        )
    )
    return states, (
        put_label(label, slots),
        _select_logits(geometries[0], predictions[0], logits_form),
    )


def logits_shape(
    network_size: tuple[int, int],
    output_size: tuple[int, int],
    groups: int,
    logits_form: LogitsForm,
) -> tuple[int, int, int] | None:
    """Returns the shape of the logits of one frame, ``None`` for none."""
    if logits_form == "none":
        return None
    if logits_form == "merged":
        rows, columns = (-(-n // MERGED_STEP) for n in output_size)
        return rows, columns, 1 + MAX_OBJECTS * groups
    rows, columns = (-(-n // DECODER_STRIDE) for n in network_size)
    return rows, columns, NUM_IDENTITIES


def _encode_views(
    model: MAVOS, variables: Variables, geometries: Geometries, frame: Frame
) -> Views:
    return tuple(encode_frame(model, variables, geometry, frame) for geometry in geometries)


def _segment_views(
    model: MAVOS, variables: Variables, states: States, views: Views, num_objects: Scalar
) -> tuple[Prediction, ...]:
    return tuple(
        segment_frame(model, variables, state, features, num_objects)
        for state, features in zip(states, views, strict=True)
    )


def _decide(
    geometries: Geometries, predictions: tuple[Prediction, ...], identities: int
) -> tuple[Array, tuple[Array, ...]]:
    """Returns the slots of the views' mean, and those of each view, which it memorises."""
    logits = [prediction.logits for prediction in predictions]
    outputs = [geometry.output for geometry in geometries]
    if len(logits) == 1:
        slots = predict_slots(logits[0], outputs[0], channels=identities)
        return slots, (slots,)
    views = [
        identity_probabilities(*view, channels=identities)
        for view in zip(logits, outputs, strict=True)
    ]
    return most_likely(sum(views[1:], views[0]) / len(views)), tuple(map(most_likely, views))


def _select_logits(
    geometry: Geometry, prediction: Prediction, logits_form: LogitsForm
) -> Array | None:
    if logits_form == "none":
        return None
    if logits_form == "stride4":
        return prediction.logits[0]
    rows, columns = (
        ResizeTaps(taps.indices[::MERGED_STEP], taps.weights[::MERGED_STEP])
        for taps in geometry.output
    )
    return merged_logits(prediction.logits, (rows, columns))
