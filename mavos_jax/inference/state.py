"""The functional state: what a video leaves behind, and pure functions that carry it on.

    state = init_state(model, variables, frame, mask)
    state, output = step(model, variables, state, frame)              # any later frame
    state, output = correct(model, variables, state, frame, mask)     # instead, with a mask of it

Every function takes the state before a frame and returns that after it, so that a caller who keeps
a state can go back to it. They are compiled by themselves, or part of the caller's own program:
``jax.jit``, ``jax.lax.scan``, ``jax.vmap`` over videos, ``jax.grad``. Masks of known objects may be
traced as well; what depends on ids that are not known when tracing is then not checked.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, UInt8

from mavos_jax.axes import Scalar
from mavos_jax.config import IGNORED, MAX_OBJECTS
from mavos_jax.inference.frame import (
    Network,
    Outputs,
    VideoState,
    advance_frame,
    encode_frame,
    label_frame,
    start_frame,
)
from mavos_jax.inference.geometry import Geometries, Sizes, geometries, padded_size
from mavos_jax.inference.objects import (
    Confidence,
    LogitsForm,
    ObjectIds,
    judge,
    num_groups,
    num_identities,
    shown_slots,
)
from mavos_jax.inference.source import (
    as_array,
    check_mask,
    check_network,
    check_rgb,
    checked_gap,
    fitting_variables,
)
from mavos_jax.models.mavos import MAVOS, Variables
from mavos_jax.models.memory import num_places
from mavos_jax.models.prepare import prepare_variables
from mavos_jax.runtime.devices import GraphProgram, in_32_bits

_R = TypeVar("_R")

Pixels = np.ndarray | Array  # uint8 frames [H, W, 3], masks of integer ids [H, W]


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class Origin:
    """What a state fits: frames of a size, and networks with its memory."""

    size: tuple[int, int]
    network: tuple[Any, ...]


class State(NamedTuple):
    """A video between two frames: a pytree of fixed shapes, whatever the length.

    It is a value: keep it, save it with Orbax, send it, stack several for ``jax.vmap``. The arrays
    ``ids`` and ``in_use`` have a place for each object; memory is as large as the configuration
    says from the first frame on, also that of a bank that grows.
    """

    video: VideoState
    geometries: Geometries
    """How frames enter and leave the network."""
    ids: UInt8[Array, "s"]
    in_use: Bool[Array, "s"]
    """False once removed."""
    gap: Scalar
    """Frames between two long-term writes."""
    origin: Origin

    @property
    def num_objects(self) -> int:
        """Places for objects."""
        return self.ids.shape[-1]


class Output(NamedTuple):
    """What a frame gives. Entry i of the arrays by object is about ``State.ids[i]``."""

    mask: UInt8[Array, "H W"]
    """Ids; 0 is the background."""
    confidence: Float[Array, "s"]
    """How sure the result is, 0 to 1: the mean probability of an object inside its mask; of an
    object that is not seen, 1 minus its highest probability anywhere."""
    margin: Float[Array, "s"]
    """The mean lead over the next best inside the mask; 0 where an object is not seen."""
    present: Bool[Array, "s"]
    """Whether the object is seen."""
    logits: Float[Array, "h w p"] | None
    """On request, the background's and then the objects': at stride 4 of the network's size, or
    with more than ten objects merged at every fourth pixel of the frame."""


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
    options = _options(model, ids.num_objects)
    gap = checked_gap(model, gap)
    return _run(_init, variables, views, frame, slots, ids.to_array(), np.int32(gap), **options)


def step(
    model: MAVOS, variables: Variables, state: State, frame: Pixels, *, return_logits: bool = False
) -> tuple[State, Output]:
    """Segments and memorises a frame.

    Args:
      model: that of :func:`init_state`, like ``variables``.
      variables: the model's variables; outside of the caller's own program they are prepared once.
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
    options = _options(model, state.num_objects)
    return _run(_step, variables, state, frame, return_logits=return_logits, **options)


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
    others; what is 0 there stays as predicted, 255 is ignored. So does the short-term memory. The
    frame enters the long-term memory at once, by ``memory.on_label``: fused with it, or instead of
    it. Shown objects that were removed are back.

    The output's mask is the corrected one, all else in it that of the prediction before.

    Raises:
      ValueError: an argument is not as described, or the mask shows an unknown id.
    """
    size = _check(model, variables, state, frame)
    if _is_traced(mask) or _is_traced(state.ids):
        _require_shape(mask, size)
    else:
        _known_ids(state).to_slots(check_mask(mask, size, "mask"), "mask")
    return _label(model, variables, state, state.ids, frame, mask, erase, return_logits)


def add_objects(
    model: MAVOS,
    variables: Variables,
    state: State,
    frame: Pixels,
    mask: Pixels,
    *,
    return_logits: bool = False,
) -> tuple[State, Output]:
    """Is :func:`correct` with a mask that shows new objects: the state grows by their number.

    Not for traced masks, because shapes depend on their ids: there ``num_objects`` of
    :func:`init_state` makes room, and :func:`correct` shows an object for the first time.
    """
    size = _check(model, variables, state, frame)
    if _is_traced(mask) or _is_traced(state.ids):
        raise ValueError(
            "mask: expected an array whose ids are known, found one that is traced; give "
            "init_state num_objects, then correct takes masks of objects not seen before"
        )
    ids = _known_ids(state)
    ids.add(check_mask(mask, size, "mask"), "mask")
    return _label(model, variables, state, ids.to_array(), frame, mask, True, return_logits)


def remove_objects(state: State, ids: int | Sequence[int]) -> State:
    """Returns the state without some objects, given by their ids: later masks do not show them.

    Their pixels fall to the next likely object or the background.

    Raises:
      ValueError: an id is unknown.
    """
    removed = np.atleast_1d(as_array(ids, "ids"))
    if not _is_traced(state.ids):
        known = np.asarray(state.ids)
        unknown = sorted(set(removed.tolist()) - set(known.ravel().tolist()))
        if unknown:
            raise ValueError(f"ids: expected ids among {known.tolist()}, found {unknown}")
    return state._replace(in_use=state.in_use & ~jnp.isin(state.ids, removed))


def _label(
    model: MAVOS,
    variables: Variables,
    state: State,
    ids: Any,
    frame: Pixels,
    mask: Pixels,
    erase: bool,
    return_logits: bool,
) -> tuple[State, Output]:
    options = _options(model, state.num_objects)
    static = {"erase": erase, "return_logits": return_logits, **options}
    return _run(_correct, variables, state, ids, frame, mask, **static)


def _options(model: MAVOS, num_objects: int) -> dict[str, Any]:
    return {"model": model, "num_objects": num_objects}


def _init_traced(
    variables: Variables,
    views: Geometries,
    frame: Array,
    slots: Array,
    ids: Array,
    gap: Array,
    *,
    model: MAVOS,
    num_objects: int,
) -> State:
    size = frame.shape[0], frame.shape[1]
    # As constants, resizing weights would be folded into other sums, which round differently.
    views = jax.lax.optimization_barrier(views)
    network = Network(model, prepare_variables(model, variables), views)
    kind = {"groups": num_groups(num_objects), "identities": num_identities(num_objects)}
    video = start_frame(network, _pad(frame), _pad(slots).astype(jnp.uint8), **kind)
    return State(video, views, ids, jnp.ones(num_objects, bool), gap, Origin(size, _kind(model)))


def _step_traced(
    variables: Variables,
    state: State,
    frame: Array,
    *,
    model: MAVOS,
    num_objects: int,
    return_logits: bool,
) -> tuple[State, Output]:
    network = Network(model, prepare_variables(model, variables), state.geometries)
    video, outputs = advance_frame(
        *(network, state.video, encode_frame(network, _pad(frame)), None),
        *(_all_slots(state), state.gap),
        identities=num_identities(num_objects),
        logits_form=_logits_form(num_objects),
    )
    return state._replace(video=video), _output(state, state.ids, outputs, return_logits)


def _correct_traced(
    variables: Variables,
    state: State,
    ids: Array,
    frame: Array,
    mask: Array,
    *,
    model: MAVOS,
    num_objects: int,
    erase: bool,
    return_logits: bool,
) -> tuple[State, Output]:
    after = ids.shape[0]
    network = Network(model, prepare_variables(model, variables), state.geometries)
    slots = _slots_of(ids)[_pad(mask)]
    video, outputs = label_frame(
        *(network, state.video, _pad(frame), (slots, None), _all_slots(state)),
        groups=num_groups(after),
        identities=(num_identities(num_objects), num_identities(after)),
        logits_form=_logits_form(num_objects),
        erase=erase,
    )
    in_use = jnp.pad(state.in_use, (0, after - num_objects)) | shown_slots(slots)[1 : after + 1]
    corrected = state._replace(video=video, ids=ids, in_use=in_use)
    return corrected, _output(state, ids, outputs, return_logits)


_init = GraphProgram(_init_traced, static_argnames=("model", "num_objects"))
_step = GraphProgram(_step_traced, static_argnames=("model", "num_objects", "return_logits"))
_correct = GraphProgram(
    _correct_traced, static_argnames=("model", "num_objects", "erase", "return_logits")
)


def _run(program: GraphProgram[_R], variables: Variables, *operands: Any, **static: Any) -> _R:
    """Calls a program, or its function as a part of the caller's own program."""
    with fitting_variables():
        if _is_traced((variables, operands)):
            return program.function(variables, *jax.tree.map(jnp.asarray, operands), **static)
        prepared = prepare_variables(static["model"], variables)
        return in_32_bits(program)(prepared, *operands, **static)


def _output(state: State, ids: Array, outputs: Outputs, return_logits: bool) -> Output:
    slots, logits = outputs
    height, width = state.origin.size
    table = jnp.zeros(256, jnp.uint8).at[1 : 1 + ids.shape[0]].set(ids).at[IGNORED].set(IGNORED)
    assert logits is not None, "asked for"
    logits = logits[..., : 1 + MAX_OBJECTS * num_groups(state.num_objects)]
    found: Confidence = judge(logits, state.num_objects)
    missing = ids.shape[0] - state.num_objects
    confidence, margin, present = (jnp.pad(x, (0, missing)) for x in found)
    mask = table[slots[:height, :width]]
    return Output(mask, confidence, margin, present, logits if return_logits else None)


def _logits_form(num_objects: int) -> LogitsForm:
    return "stride4" if num_groups(num_objects) == 1 else "merged"


def _all_slots(state: State) -> Array:
    """Returns which slots are in use, those without a place among them."""
    missing = MAX_OBJECTS * state.video.groups - state.num_objects
    return jnp.pad(state.in_use, (0, missing))


def _slots_of(ids: Array) -> Array:
    """Returns the slot of every id."""
    slots = jnp.arange(1, ids.shape[0] + 1, dtype=jnp.uint8)
    return jnp.zeros(256, jnp.uint8).at[ids].set(slots).at[IGNORED].set(IGNORED)


def _known_ids(state: State) -> ObjectIds:
    return ObjectIds.of(np.asarray(state.ids).tolist())


def _kind(model: MAVOS) -> tuple[Any, ...]:
    config = model.config
    memory = config.memory.policy, num_places(config.memory)
    return config.elstt, *memory, config.align_corners


def _check(model: MAVOS, variables: Variables, state: State, frame: Any) -> tuple[int, int]:
    check_network(model, variables)
    if not isinstance(state, State):
        raise ValueError(f"state: expected what init_state returns, found {type(state).__name__}")
    if state.origin.network != _kind(model):
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
    return check_rgb(frame if _is_traced(frame) else as_array(frame, "frame"), "frame")


def _require_shape(mask: Any, size: tuple[int, int]) -> None:
    if mask.shape != size or not jnp.issubdtype(mask.dtype, jnp.integer):
        raise ValueError(
            f"mask: expected integer ids {list(size)}, found {mask.dtype} {list(mask.shape)}"
        )


def _pad(array: Array) -> Array:
    height, width = array.shape[:2]
    rows, columns = padded_size((height, width))
    ends = ((0, rows - height), (0, columns - width), (0, 0))
    return jnp.pad(jnp.asarray(array), ends[: array.ndim])


def _is_traced(tree: Any) -> bool:
    return any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(tree))
