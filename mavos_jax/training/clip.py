"""The loss of one clip: a scan of the transition that inference uses.

Frames after the reference are segmented from memory and memorised, early in training with their
true masks (teacher forcing). Features and losses are computed for all frames at once.
"""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt8

from mavos_jax.axes import Flag, Logits, Mask, Scalar
from mavos_jax.config import IGNORED, MAX_OBJECTS, NUM_IDENTITIES
from mavos_jax.inference import step
from mavos_jax.inference.frame import normalise
from mavos_jax.inference.objects import put_label, shown_slots
from mavos_jax.models.mavos import MAVOS, Features, Variables
from mavos_jax.models.memory import Memory, with_room_for
from mavos_jax.models.resize import resize_planes
from mavos_jax.training import losses


class Clip(NamedTuple):
    """One clip of a batch: RGB frames, and masks with slots 1..num_objects, 255 where unknown."""

    frames: UInt8[Array, "t h1 w1 3"]
    masks: UInt8[Array, "t h1 w1"]
    num_objects: Scalar


class FrameResult(NamedTuple):
    """The result of segmenting a frame; for a clip stacked along axis t, the reference first."""

    loss: Float[Array, "*t"]  # the reference's without its weight
    iou: Float[Array, "*t"]  # averaged over the objects
    slots: Int[Array, "*t h1 w1"]


def clip_loss(
    model: MAVOS,
    variables: Variables,
    clip: Clip,
    at: Scalar,
    key: Array | None,
    label_at: Scalar | None = None,
) -> tuple[Float[Array, ""], FrameResult]:
    """Returns a clip's loss: the mean over its later frames, plus the reference's, weighted.

    Args:
      at: optimiser steps done; they decide on teacher forcing and the weights of the losses.
      key: this clip's in this step; ``None`` for neither dropout nor identity shuffle.
      label_at: frame whose label brings objects that the reference lacks, 0 for none; ``None``
        leaves such labels out of the program, and so does a missing key.
    """
    config = model.config.training
    # A bank has room for what a clip writes: places that are never in use would only cost time.
    memory = dataclasses.replace(model.config.memory, grows=True)
    memory = with_room_for(memory, 2 + (len(clip.masks) - 2) // config.clip.gap)
    model = model.clone(config=dataclasses.replace(model.config, memory=memory))
    recipe, share = config.clip, losses.kept_share(config.clip, at, config.steps)
    is_forced = at < recipe.teacher_forcing * config.steps
    # With its own predictions as input, training the bank would let the network rename objects.
    # That it is always frozen must be known to the compiler, which then leaves its gradient out.
    is_frozen = ~is_forced if recipe.teacher_forcing else True
    variables = _freeze_identification(variables, is_frozen)
    places = _shuffled_places(key if recipe.shuffle_identities else None)
    if label_at is None or key is None:
        given = give_at_once(clip.masks, clip.num_objects)
    else:
        given = give_late(clip.masks, clip.num_objects, label_at, jax.random.fold_in(key, 2))
    labels, counts, label = given
    most = model.config.data.max_objects

    over_frames = _recomputed if recipe.rematerialise else jax.vmap
    # What a frozen encoder computes is no part of the backward pass: its maps are kept.
    is_kept = recipe.rematerialise and config.optimizer.freeze_encoder
    encode_frames = _one_by_one if is_kept else over_frames
    keys = None
    if key is not None and recipe.dropout:
        keys = jax.random.split(jax.random.fold_in(key, 1), len(labels))

    def encode(frame: Array, key: Array | None) -> Features:
        return step.encode(model, variables, normalise(frame), key=key)

    def start(features: Features, labels: Mask, key: Array | None) -> tuple[Memory, tuple]:
        slots = _put_in_places(labels, places)
        logits, memory = step.start_segmented(model, variables, features, slots, key=key)
        return memory, (logits, losses.predict(enlarge(logits, labels), counts[0]))

    def advance(memory: Memory, inputs: tuple) -> tuple[Memory, tuple]:
        features, labels, key, count, index, is_due = inputs
        logits, pending = step.segment(model, variables, memory, features, key=key)
        slots = losses.predict(enlarge(logits, labels), count)
        chosen = jnp.where(is_forced, labels, slots)

        def memorise() -> Memory:
            mask = _put_in_places(chosen, places)
            return step.memorise(model, variables, memory, pending, mask, is_due=is_due, key=key)

        # The last frame's memory is never read; leaving it out would need a second body.
        if label is None:
            return memorise(), (logits, slots)
        brought = label

        def take_in() -> Memory:
            mask = _put_in_places(put_label(brought, chosen), places)
            return step.memorise_reference(model, variables, memory, features, mask, key=key)

        return jax.lax.cond(index == label_at, take_in, memorise), (logits, slots)

    def enlarge(logits: Logits, labels: Mask) -> losses.FullLogits:
        # Slots are put back in order at stride 4, where that is cheap.
        planes = logits.transpose(2, 0, 1)[places[: 1 + most]]
        size = (labels.shape[0], labels.shape[1])
        return resize_planes(planes, size, align_corners=model.config.align_corners)

    def score(logits: Logits, slots: Mask, labels: Mask, count: Scalar) -> FrameResult:
        full = enlarge(logits, labels)
        loss = losses.frame_loss(full, labels, count, share, recipe)
        return FrameResult(loss, losses.mean_iou(slots, labels, count, most), slots)

    if recipe.rematerialise:
        start, advance = jax.checkpoint(start), jax.checkpoint(advance, prevent_cse=False)
    features = encode_frames(encode)(clip.frames.astype(jnp.float32), keys)
    inputs = features, labels, keys
    memory, first = start(*jax.tree.map(lambda x: x[0], inputs))
    index = np.arange(1, len(labels))
    times = write_times(len(labels), recipe.gap, label_at)
    later = *jax.tree.map(lambda x: x[1:], inputs), counts[1:], index, times
    _, rest = jax.lax.scan(advance, memory, later)
    logits, slots = jax.tree.map(lambda x, y: jnp.concatenate([x[None], y]), first, rest)
    result = over_frames(score)(logits, slots, labels, counts)
    weight = losses.reference_weight(recipe, at, config.steps)
    return result.loss[1:].mean() + weight * result.loss[0], result


def write_times(num_frames: int, gap: int, label_at: Scalar | None = None) -> Array | np.ndarray:
    """Returns for frames 1..T-1 whether they enter the long-term memory; the last never does."""
    index = np.arange(1, num_frames)
    # Counted again from a later reference at ``label_at``, which is written itself.
    since = index if label_at is None else index - jnp.where(index >= label_at, label_at, 0)
    return (since % gap == 0) & (index < num_frames - 1)


def _freeze_identification(variables: Variables, is_frozen: Flag | bool) -> Variables:
    """Stops the gradient into the identification bank and its norm where ``is_frozen``."""
    params = variables["params"]
    bank = params["identification"]
    frozen = jax.lax.stop_gradient(bank)
    if is_frozen is not True:
        frozen = jax.tree.map(lambda x, y: jnp.where(is_frozen, x, y), frozen, bank)
    return {**variables, "params": {**params, "identification": frozen}}


def _shuffled_places(key: Array | None) -> Int[Array, "o"]:
    """Returns where each slot goes in the identification bank; the background stays."""
    if key is None:
        return jnp.arange(NUM_IDENTITIES)
    places = 1 + jax.random.permutation(jax.random.fold_in(key, 0), MAX_OBJECTS)
    return jnp.concatenate([jnp.zeros(1, places.dtype), places])


def _put_in_places(slots: Mask, places: Int[Array, "o"]) -> Mask:
    return jnp.where(slots == IGNORED, IGNORED, places[jnp.minimum(slots, MAX_OBJECTS)])


def _one_by_one(function: Callable) -> Callable:
    """Maps a function over frames as ``vmap`` does, frame after frame."""
    return lambda *inputs: jax.lax.map(lambda frame: function(*frame), inputs)


def _recomputed(function: Callable) -> Callable:
    """Maps a function frame after frame; the backward pass computes each frame's values again."""
    return _one_by_one(jax.checkpoint(function, prevent_cse=False))


# Objects that come later: the reference lacks them, the label of a later frame brings them. Without
# them in training, a network does not learn to take an object into a memory of others.


class Given(NamedTuple):
    """What is known of a clip's objects before each frame; ``label`` holds what a label brings."""

    labels: Int[Array, "t h1 w1"]
    num_objects: Int[Array, "t"]
    label: Mask | None


def give_at_once(masks: UInt8[Array, "t h1 w1"], num_objects: Scalar) -> Given:
    """Returns a clip all of whose objects are in its reference."""
    everywhere = jnp.broadcast_to(num_objects, len(masks))
    return Given(masks.astype(jnp.int32), everywhere, None)


def give_late(
    masks: UInt8[Array, "t h1 w1"], num_objects: Scalar, label_at: Scalar, key: Array
) -> Given:
    """Holds objects back until frame ``label_at``, whose label brings them; 0 for none.

    Of n objects a random 1 to n - 1 are there from the reference on, in any slots. A single object
    is there from the start, and the label brings it again.
    """
    many, turn = jax.random.split(key)
    most = jnp.maximum(num_objects, 1)
    first = jax.random.randint(many, (), 1, jnp.maximum(most, 2))
    slots = masks.astype(jnp.int32)
    # The first slots are in use always, so the objects take turns in them.
    turned = (slots - 1 + jax.random.randint(turn, (), 0, most)) % most + 1
    slots = jnp.where((slots > 0) & (slots <= most), turned, slots)
    is_early = (label_at > 0) & (jnp.arange(len(masks)) <= label_at)
    known = jnp.where(is_early, jnp.minimum(first, num_objects), num_objects)
    is_given = (slots <= known[:, None, None]) | (slots == IGNORED)
    is_new = (slots > first) | (num_objects == 1)
    label = jnp.where(is_new, slots, 0)[label_at]
    # What is hidden when its label comes stays unknown: nobody could find it later.
    is_late = (label_at > 0) & (slots > first) & (slots != IGNORED)
    is_given &= ~is_late | shown_slots(label)[slots]
    return Given(jnp.where(is_given, slots, 0), known, label)


def draw_label_frame(probability: float, num_frames: int, key: Array) -> Scalar:
    """Draws the frame, 1 to T - 2, in which all clips of a step bring a label, or 0 for none."""
    whether, where = jax.random.split(key)
    frame = jax.random.randint(where, (), 1, num_frames - 1)
    return jnp.where(jax.random.bernoulli(whether, probability), frame, 0)
