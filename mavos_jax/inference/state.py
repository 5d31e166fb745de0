"""The state of a video as one pytree, and the programs that carry it from frame to frame."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, UInt8

from mavos_jax.axes import Scalar
from mavos_jax.config import IGNORED
from mavos_jax.inference.frame import (
    Network,
    Outputs,
    VideoState,
    advance_frame,
    encode_frame,
    label_frame,
    start_frame,
)
from mavos_jax.inference.geometry import Geometries, padded_size
from mavos_jax.inference.objects import num_groups, num_identities, shown_slots
from mavos_jax.inference.outputs import MERGED_STEP, LogitsForm, judge
from mavos_jax.models.mavos import MAVOS, Variables
from mavos_jax.models.memory import num_places
from mavos_jax.runtime.devices import GraphProgram


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class Origin:
    """What a state fits: frames of a size, and networks with its memory."""

    size: tuple[int, int]
    network: tuple[Any, ...]


class State(NamedTuple):
    """A video between two frames: a pytree of fixed shapes, whatever the length.

    It is a value: keep it, save it with Orbax, send it, stack several for ``jax.vmap``. The arrays
    ``ids`` and ``shown`` have a place for each object; memory is as large as the configuration
    says from the first frame on, also that of a bank that grows.
    """

    video: VideoState
    geometries: Geometries
    """How frames enter and leave the network."""
    ids: UInt8[Array, "s"]
    shown: Bool[Array, "s"]
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
    object that is not seen, 0.8 times 1 minus its highest probability anywhere."""
    margin: Float[Array, "s"]
    """The mean lead over the next best inside the mask; 0 where an object is not seen."""
    present: Bool[Array, "s"]
    """Whether the object is likeliest anywhere in the logits. They lie four pixels apart: a few
    pixels of the mask can lie between them."""
    logits: Float[Array, "h w o"] | None
    """On request: 11, of the background and ten objects, -1e10 where not in use, at stride 4 of the
    network's size; with more objects merged, 1 + 10 a group, at every fourth pixel of the frame."""


def network_kind(model: MAVOS) -> tuple[Any, ...]:
    """Returns what a memory depends on beside the frames' size and the weights."""
    config = model.config
    memory = config.memory.policy, num_places(config.memory), config.memory.references
    return config.encoder, config.elstt, *memory, config.align_corners, model.backend.compute


def _init_state(
    variables: Variables,
    views: Geometries,
    frame: Array,
    slots: Array,
    ids: Array,
    gap: Array,
    *,
    model: MAVOS,
) -> State:
    num_objects = ids.shape[0]
    origin = Origin((frame.shape[0], frame.shape[1]), network_kind(model))
    # As constants, resizing weights would be folded into other sums, which round differently.
    views = jax.lax.optimization_barrier(views)
    network = Network(model, variables, views)
    kind = {"groups": num_groups(num_objects), "identities": num_identities(num_objects)}
    video = start_frame(network, _pad(frame), _pad(slots).astype(jnp.uint8), **kind)
    return State(video, views, ids, jnp.ones(num_objects, bool), gap, origin)


def _step(
    variables: Variables, state: State, frame: Array, *, model: MAVOS, return_logits: bool
) -> tuple[State, Output]:
    network = Network(model, variables, state.geometries)
    video, outputs = advance_frame(
        *(network, state.video, encode_frame(network, _pad(frame)), None),
        (jnp.int32(state.num_objects), state.gap),
        identities=num_identities(state.num_objects),
        logits_form=_logits_form(state.num_objects),
    )
    after = state._replace(video=video)
    return after, _output(after, outputs, state.num_objects, return_logits)


def _correct(
    variables: Variables,
    state: State,
    ids: Array,
    frame: Array,
    mask: Array,
    *,
    model: MAVOS,
    erase: bool,
    whole: bool,
    return_logits: bool,
) -> tuple[State, Output]:
    before, after = state.num_objects, ids.shape[0]
    network = Network(model, variables, state.geometries)
    numbers = jnp.arange(1, after + 1, dtype=jnp.uint8)
    slot_of = jnp.zeros(256, jnp.uint8).at[ids].set(numbers).at[IGNORED].set(IGNORED)
    slots = slot_of[_pad(mask)]
    shown = jnp.pad(state.shown, (0, after - before)) | shown_slots(slots)[1 : after + 1]
    video, outputs = label_frame(
        *(network, state.video, _pad(frame), (slots, None), jnp.int32(before)),
        groups=num_groups(after),
        identities=(num_identities(before), num_identities(after)),
        logits_form=_logits_form(before),
        erase=jnp.zeros(256, bool).at[1 : after + 1].set(shown) if whole else erase,
    )
    corrected = state._replace(video=video, ids=ids, shown=shown)
    return corrected, _output(corrected, outputs, before, return_logits)


def _output(after: State, outputs: Outputs, before: int, return_logits: bool) -> Output:
    """Returns what a frame gives; its logits are of the objects ``before``."""
    slots, logits = outputs
    height, width = after.origin.size
    ids = jnp.where(after.shown, after.ids, 0)
    table = jnp.zeros(256, jnp.uint8).at[1 : 1 + len(ids)].set(ids).at[IGNORED].set(IGNORED)
    assert isinstance(logits, jax.Array), "asked for"
    confidence, margin, present = (
        jnp.pad(x, (0, len(ids) - before)) * after.shown for x in judge(logits, before)[:3]
    )
    mask = table[slots[:height, :width]]
    if num_groups(before) > 1:  # without the padding
        logits = logits[: -(-height // MERGED_STEP), : -(-width // MERGED_STEP)]
    return Output(mask, confidence, margin, present, logits if return_logits else None)


def _logits_form(num_objects: int) -> LogitsForm:
    return "stride4" if num_groups(num_objects) == 1 else "merged"


def _pad(array: Array) -> Array:
    height, width = array.shape[:2]
    rows, columns = padded_size((height, width))
    ends = ((0, rows - height), (0, columns - width), (0, 0))
    return jnp.pad(jnp.asarray(array), ends[: array.ndim])


init_program = GraphProgram(_init_state, static_argnames="model")
step_program = GraphProgram(_step, static_argnames=("model", "return_logits"))
correct_program = GraphProgram(
    _correct, static_argnames=("model", "erase", "whole", "return_logits")
)
