"""The functional state: what a video leaves behind, and pure functions that carry it on.

    state = init_state(model, variables, frame, mask)
    state, output = step(model, variables, state, frame)              # any later frame
    state, output = correct(model, variables, state, frame, mask)     # instead, with a mask of it

Every function takes the state before a frame and returns that after it, so that a caller who keeps
a state can go back to it. They are compiled by themselves, or part of the caller's own program:
``jax.jit``, ``jax.lax.scan``, ``jax.vmap`` over videos, ``jax.grad``. Masks of known objects may be
traced as well; what depends on ids that are not known when tracing is then not checked.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array

from mavos_jax.inference.geometry import Sizes, geometries
from mavos_jax.inference.objects import ObjectIds
from mavos_jax.inference.source import (
    as_array,
    check_mask,
    check_network,
    check_rgb,
    checked_gap,
    fitting_variables,
)
from mavos_jax.inference.state import (
    Output,
    State,
    correct_program,
    init_program,
    network_kind,
    step_program,
)
from mavos_jax.models.mavos import MAVOS, Variables
from mavos_jax.models.memory import keep_frame
from mavos_jax.models.prepare import prepare_variables
from mavos_jax.runtime.devices import GraphProgram, in_32_bits

_R = TypeVar("_R")

Pixels = np.ndarray | Array  # uint8 frames [H, W, 3], masks of integer ids [H, W]


def init_state(
    model: MAVOS,
    variables: Variables,
    frame: Pixels,
    mask: Pixels,
    *,
    num_objects: int | None = None,
    gap: int | None = None,
) -> State:
    """Returns the state after the first frame, whose mask is given.

    Args:
      model: from ``load`` or ``build_model``.
      variables: the model's variables.
      frame: RGB, uint8 [H, W, 3] of any size.
      mask: ids of the frame's objects, integer [H, W]: 0 background, 255 ignored.
      num_objects: ``None`` takes the mask's ids, and :func:`add_objects` makes room for others; a
        number says that the ids are 1..num_objects, seen or not. A traced mask needs the number.
      gap: frames between two long-term writes; by default the configuration's.

    Raises:
      ValueError: an argument is not as described.
    """
    check_network(model, variables)
    size = _frame_size(frame)
    ids = ObjectIds(num_objects)
    if _is_traced(mask):
        if num_objects is None:
            raise ValueError(
                "num_objects: expected a number, because the mask's ids are not known while a "
                "function is traced, found None"
            )
        _require_shape(mask, size)
        slots: Any = mask
    else:
        slots = ids.add(check_mask(mask, size, "mask"), "mask")
        if not ids.num_objects:
            raise ValueError("mask: expected at least one object, found only background")
    views = geometries(model.config, Sizes(size, size))
    scalars = ids.to_array(), np.int32(checked_gap(model, gap))
    return _run(init_program, model, variables, views, frame, slots, *scalars)


def step(
    model: MAVOS, variables: Variables, state: State, frame: Pixels, *, return_logits: bool = False
) -> tuple[State, Output]:
    """Segments and memorises a frame.

    Args:
      model: that of :func:`init_state`, like ``variables``.
      variables: the model's variables; outside of the caller's own program they are prepared once
        if they are on the device (``jax.device_put``), else for every frame.
      state: the state before the frame.
      frame: RGB, uint8 [H, W, 3] of the first frame's size.
      return_logits: whether the output has logits.

    Returns:
      The state after the frame, and its output. The masks are those of ``stream_video``, bit for
      bit on a CPU.

    Raises:
      ValueError: an argument is not as described.
    """
    _check(model, variables, state, frame)
    return _run(step_program, model, variables, state, frame, return_logits=return_logits)


def correct(
    model: MAVOS,
    variables: Variables,
    state: State,
    frame: Pixels,
    mask: Pixels,
    *,
    erase: bool = True,
    return_logits: bool = False,
) -> tuple[State, Output]:
    """Segments a frame, replaces objects by those of a mask, and memorises the result.

    Takes the place of :func:`step` for that frame: to correct a result, come back with the state
    before it. Objects that the mask shows get its pixels and, if they may ``erase``, lose all
    others; what is 0 there stays as predicted, 255 is ignored. The short-term memory takes the
    corrected mask. The frame enters the long-term memory at once, by ``memory.on_label``: fused
    with it, or instead of it. Objects that were removed are back if it shows them.

    The output's mask is the corrected one, all else in it that of the prediction before.

    Raises:
      ValueError: an argument is not as described, or the mask shows an unknown id.
    """
    size = _check(model, variables, state, frame)
    if _is_traced(mask) or _is_traced(state.ids):
        _require_shape(mask, size)
    else:
        mask = check_mask(mask, size, "mask")
        _known_ids(state).to_slots(mask, "mask")
        mask = mask.astype(np.uint8)
    static = {"erase": erase, "whole": False, "return_logits": return_logits}
    return _run(correct_program, model, variables, state, state.ids, frame, mask, **static)


def add_objects(
    model: MAVOS,
    variables: Variables,
    state: State,
    frame: Pixels,
    mask: Pixels,
    *,
    whole: bool = False,
    return_logits: bool = False,
) -> tuple[State, Output]:
    """Is :func:`correct` with a mask that shows new objects: the state grows by their number.

    ``whole`` says that the mask is the frame's whole result: objects that it lacks lose all pixels;
    those that were removed stay hidden where they are predicted.

    Not for traced masks, because shapes depend on their ids: there ``num_objects`` of
    :func:`init_state` makes room, and :func:`correct` shows an object for the first time.
    """
    size = _check(model, variables, state, frame)
    if _is_traced(mask) or _is_traced(state.ids):
        raise ValueError(
            "mask: expected an array whose ids are known, found one that is traced; give "
            "init_state num_objects, then correct takes masks of objects not seen before"
        )
    ids, mask = _known_ids(state), check_mask(mask, size, "mask")
    ids.add(mask, "mask")
    operands = state, ids.to_array(), frame, mask.astype(np.uint8)
    static = {"erase": True, "whole": whole, "return_logits": return_logits}
    return _run(correct_program, model, variables, *operands, **static)


def remove_objects(state: State, ids: int | Sequence[int]) -> State:
    """Returns the state without some objects, given by their ids: later masks do not show them.

    They are still tracked, and their pixels are background, so that other objects keep theirs and
    do not take what looks like them. :func:`correct` shows them again.

    Raises:
      ValueError: an id is unknown.
    """
    removed = np.atleast_1d(as_array(ids, "ids"))
    if not _is_traced(state.ids):
        known = np.asarray(state.ids)
        unknown = sorted(set(removed.tolist()) - set(known.ravel().tolist()))
        if unknown:
            raise ValueError(f"ids: expected ids among {known.tolist()}, found {unknown}")
    return state._replace(shown=state.shown & ~jnp.isin(state.ids, removed))


@in_32_bits
def keep_reference(state: State, *, place: int | Array | None = None) -> State:
    """Returns the state whose latest frame stays in the memory as it is, with the mask it got.

    Frames of :func:`correct` and :func:`add_objects` are kept by themselves. ``place`` says where
    to put it, 0..references - 2; by default in an empty place, or in that of the frame kept
    longest. The first frame stays, unless a label restarts the memory (``memory.on_label``).

    Raises:
      ValueError: the memory has no further places (``memory.references`` is 1), or not this one.
    """
    memories, kept = state.video.memories, state.video.memories[0].kept
    if kept is None:
        raise ValueError(
            "state: expected a memory with places for further references, found none; begin with a "
            "network whose memory.references is above 1"
        )
    places = kept.shape[-1]
    if not (place is None or _is_traced(place) or 0 <= place < places):
        raise ValueError(f"place: expected 0 to {places - 1}, found {place}")
    keep = jax.vmap(keep_frame, (0, None))
    return state._replace(
        video=state.video._replace(memories=tuple(keep(memory, place) for memory in memories))
    )


_constant = jax.jit(lambda: 0)  # traced inside a trace; a tenth of the time of an array


def _run(
    program: GraphProgram[_R], model: MAVOS, variables: Variables, *operands: Any, **static: Any
) -> _R:
    """Calls a program, or its function as a part of the caller's own program."""
    # A program may read an array only after its caller has changed it.
    operands = jax.tree.map(lambda x: x if isinstance(x, Array) else np.array(x), operands)
    with fitting_variables():
        prepared = prepare_variables(model, variables)
        # Inside a trace, what the caller's function encloses is a part of its program, too, because
        # a program within another may have no compiler options.
        if _is_traced((variables, operands, _constant())):
            operands = jax.tree.map(jnp.asarray, operands)
            return in_32_bits(program.function)(prepared, *operands, model=model, **static)
        return in_32_bits(program)(prepared, *operands, model=model, **static)


def _known_ids(state: State) -> ObjectIds:
    return ObjectIds.of(np.asarray(state.ids).tolist())


def _check(model: MAVOS, variables: Variables, state: State, frame: Any) -> tuple[int, int]:
    check_network(model, variables)
    if not isinstance(state, State):
        raise ValueError(f"state: expected what init_state returns, found {type(state).__name__}")
    if state.origin.network != network_kind(model):
        raise ValueError(
            "state: expected one of this network and memory, found that of another; begin with "
            "init_state"
        )
    if state.ids.ndim != 1:
        raise ValueError(
            f"state: expected that of one video, found {state.ids.shape[0]}; use jax.vmap"
        )
    size = _frame_size(frame)
    if size != state.origin.size:
        height, width = state.origin.size
        raise ValueError(
            f"frame: expected {height}x{width} pixels (height x width) like the state's frames, "
            f"found {size[0]}x{size[1]}"
        )
    return size


def _frame_size(frame: Any) -> tuple[int, int]:
    # A frame on the device stays there.
    return check_rgb(frame if isinstance(frame, Array) else as_array(frame, "frame"), "frame")


def _require_shape(mask: Any, size: tuple[int, int]) -> None:
    if mask.shape != size or not jnp.issubdtype(mask.dtype, jnp.integer):
        raise ValueError(
            f"mask: expected integer ids {list(size)}, found {mask.dtype} {list(mask.shape)}"
        )


def _is_traced(tree: Any) -> bool:
    return any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(tree))
