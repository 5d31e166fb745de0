"""The compiled programs: the first frame, a chunk of frames, a frame with a label.

They take videos of one frame size in step, with a leading axis b: a small network leaves a large
device idle on one video. A program is traced once per model, number of videos, padded frame size,
network sizes of the views, number of groups, channel bucket and form of its arguments.
"""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp

from mavos_jax.axes import Array, Flag, Frames, Scalar
from mavos_jax.inference.frame import (
    Network,
    Outputs,
    VideoState,
    advance_frame,
    encode_frame,
    label_frame,
    start_frame,
)
from mavos_jax.inference.geometry import Geometries
from mavos_jax.inference.outputs import LogitsForm, selected_like
from mavos_jax.models.mavos import MAVOS, Variables
from mavos_jax.models.memory import Memory
from mavos_jax.runtime.devices import GraphProgram

_R = TypeVar("_R")


def segment_chunk(
    network: Network,
    state: VideoState,
    frames: Frames,
    memorise_with: Array | None,
    scalars: tuple[Scalar, Scalar, Scalar],
    *,
    identities: int,
    logits_form: LogitsForm,
) -> tuple[VideoState, Outputs]:
    """Scans :func:`~.frame.advance_frame` over the frames of one video."""
    num_frames, num_objects, gap = scalars
    backend, geometry = network.model.backend, network.geometries[0]
    encode = functools.partial(encode_frame, network)
    encoded = jax.vmap(encode)(frames) if backend.encoder == "chunk" else None

    def advance(index: Scalar, state: VideoState, is_real: Flag | None) -> tuple[Any, Outputs]:
        frame, given = jax.tree.map(
            lambda x: jax.lax.dynamic_index_in_dim(x, index, keepdims=False),
            (frames if encoded is None else encoded, memorise_with),
        )
        views = encode(frame) if encoded is None else frame
        return advance_frame(
            *(network, state, views, given, (num_objects, gap)),
            identities=identities,
            logits_form=logits_form,
            is_real=is_real,
        )

    if backend.short_chunk == "discards":
        indices = jnp.arange(len(frames))
        return jax.lax.scan(lambda state, i: advance(i, state, i < num_frames), state, indices)

    def put(index: Scalar, carry: tuple[VideoState, Outputs]) -> tuple[VideoState, Outputs]:
        state, outputs = advance(index, carry[0], None)
        return state, jax.tree.map(
            lambda x, y: jax.lax.dynamic_update_index_in_dim(x, y, index, axis=0),
            *(carry[1], outputs),
        )

    size = geometry.output_size
    like = (
        jax.ShapeDtypeStruct(size, jnp.uint8),
        selected_like(geometry.network_size, size, state.groups, logits_form, identities),
    )
    outputs = jax.tree.map(lambda x: jnp.zeros((len(frames), *x.shape), x.dtype), like)
    return jax.lax.fori_loop(0, num_frames, put, (state, outputs))


def _over_videos(
    function: Callable[..., _R],
    in_axes: Callable[[VideoState], tuple[Any, ...]],
    out_axes: Callable[[VideoState], Any],
) -> Callable[..., _R]:
    """Maps a function of one video over the axis of videos; the axes are those of a state.

    A single video loses the axis: mapped over a length of one, its program would be slower.
    """

    def mapped(
        model: MAVOS, variables: Variables, geometries: Geometries, *operands: Any, **static: Any
    ) -> Any:
        one: Any = functools.partial(function, Network(model, variables, geometries), **static)
        # Videos that write at the same frames share counts: unmapped ones keep the writes branches,
        # where mapped ones compute them for every frame.
        counts = 0 if model.config.memory.write_when == "confident" else None
        memory = Memory._make((0, 0, counts, 0))
        state = VideoState._make(((memory,) * len(geometries), counts))
        if len(operands[1]) > 1:
            return jax.vmap(one, in_axes(state), out_axes(state))(*operands)
        result = one(*_at_axes(lambda x: jnp.squeeze(x, 0), in_axes(state), operands))
        return _at_axes(lambda x: x[None], out_axes(state), result)

    mapped.__name__ = function.__name__
    return mapped


def _at_axes(function: Callable[[Array], Array], axes: Any, tree: Any) -> Any:
    return jax.tree.map(
        lambda axis, part: part if axis is None else jax.tree.map(function, part),
        *(axes, tree),
        is_leaf=lambda axis: axis is None,
    )


start_videos = jax.jit(
    _over_videos(start_frame, lambda _: (0, 0), lambda state: state),
    static_argnames=("model", "groups", "identities"),
)
"""Starts videos from frames [b, H, W, 3] and slots [b, H, W]; see :func:`~.frame.start_frame`."""

segment_chunks = GraphProgram(
    _over_videos(
        segment_chunk, lambda state: (state, 0, 0, (None, 0, None)), lambda state: (state, 0)
    ),
    static_argnames=("model", "identities", "logits_form"),
    donate_argnums=3,  # the state
)
"""Segments and memorises frames [b, t, H, W, 3] in one scan; see :func:`~.frame.advance_frame`.

The state is donated. The scalars are the frames that are real in any video, the slots in use [b],
and the gap. The last chunk is filled up to the same t; outputs [b, t] of frames that fill it are
meaningless.
"""

label_frames = jax.jit(
    _over_videos(label_frame, lambda state: (state, 0, 0, 0), lambda state: (state, 0)),
    static_argnames=("model", "groups", "identities", "logits_form"),
)
"""Labels a frame of every video, [b, H, W, 3]; see :func:`~.frame.label_frame`."""
