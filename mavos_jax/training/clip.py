"""The loss of one clip: a scan of the transition that inference uses.

The reference frame starts the memory. Every later frame is segmented from memory and then
memorised: with its true mask at first (teacher forcing), with its own prediction later in training.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt8

from mavos_jax.axes import Flag, Logits, Mask, Scalar
from mavos_jax.config import MAX_OBJECTS, NUM_IDENTITIES
from mavos_jax.inference import step
from mavos_jax.inference.frame import normalise
from mavos_jax.models.mavos import MAVOS, Variables
from mavos_jax.models.memory import Memory
from mavos_jax.models.resize import resize_bilinear
from mavos_jax.training.losses import (
    IGNORED,
    frame_loss,
    kept_share,
    mean_iou,
    predict,
    reference_weight,
)


class Clip(NamedTuple):
    """One clip of a batch.

    Attributes:
      frames: RGB at crop size, which is a network size.
      masks: slots 0..10, 255 where unknown.
      num_objects: objects of the clip: slots 1..num_objects are in use.
    """

    frames: UInt8[Array, "t h1 w1 3"]
    masks: UInt8[Array, "t h1 w1"]
    num_objects: Scalar


class FrameResult(NamedTuple):
    """What segmenting a frame gives; of a clip, with a leading axis t, the reference first.

    Attributes:
      loss: of the frame; the reference's without its weight.
      iou: of the predicted mask, averaged over the objects.
      slots: the predicted mask.
    """

    loss: Float[Array, "*t"]
    iou: Float[Array, "*t"]
    slots: Int[Array, "*t h1 w1"]


def clip_loss(
    model: MAVOS,
    variables: Variables,
    clip: Clip,
    at: Scalar,
    key: Array | None,
) -> tuple[Float[Array, ""], FrameResult]:
    """Returns the loss of a clip: the mean over its frames plus the weighted reference loss.

    Args:
      model: the network; its configuration holds the recipe.
      variables: its variables.
      clip: frames and masks.
      at: optimiser steps done, traced: it decides teacher forcing and the weights of the losses.
      key: of this clip in this step; ``None`` for neither dropout nor identity shuffle.

    Returns:
      The loss, and what each frame gave.
    """
    config = model.config.training
    recipe, share = config.clip, kept_share(config.clip, at, config.steps)
    is_forced = at < recipe.teacher_forcing * config.steps
    # With its own predictions as input, training the bank would let the network rename objects.
    variables = _freeze_identification(variables, ~is_forced)
    places = _shuffled_places(key if recipe.shuffle_identities else None)
    labels = clip.masks.astype(jnp.int32)

    score = functools.partial(_score, model.config.align_corners, clip.num_objects, places, share)

    def start(frame: Array, labels: Mask, key: Array | None) -> tuple[Memory, FrameResult]:
        features = step.encode(model, variables, normalise(frame), key=key)
        slots = _put_in_places(labels, places)
        logits, memory = step.start_segmented(model, variables, features, slots, key=key)
        return memory, score(logits, labels)

    def advance(memory: Memory, inputs: tuple) -> tuple[Memory, FrameResult]:
        frame, labels, is_due, key = inputs
        features = step.encode(model, variables, normalise(frame), key=key)
        logits, currents = step.segment(model, variables, memory, features, key=key)
        result = score(logits, labels)
        chosen = _put_in_places(jnp.where(is_forced, labels, result.slots), places)
        # The last frame's memory is never read; leaving it out would need a second body.
        memory = step.memorise(model, variables, memory, currents, chosen, is_due=is_due, key=key)
        return memory, result

    if recipe.rematerialise:
        start, advance = jax.checkpoint(start), jax.checkpoint(advance, prevent_cse=False)
    frames = clip.frames.astype(jnp.float32)
    first_key, later_keys = _frame_keys(key if recipe.dropout else None, len(labels))
    memory, first = start(frames[0], labels[0], first_key)
    later = (frames[1:], labels[1:], write_times(len(labels), recipe.gap), later_keys)
    _, rest = jax.lax.scan(advance, memory, later)
    result = jax.tree.map(lambda x, y: jnp.concatenate([x[None], y]), first, rest)
    weight = reference_weight(recipe, at, config.steps)
    return result.loss[1:].mean() + weight * result.loss[0], result


def _score(
    align_corners: bool,
    num_objects: Scalar,
    places: Int[Array, "o"],
    share: Float[Array, ""],
    logits: Logits,
    labels: Mask,
) -> FrameResult:
    """Enlarges a frame's logits to its labels, and measures them."""
    # Channels are put back in order at stride 4, where that is cheap.
    size = (labels.shape[0], labels.shape[1])
    logits = resize_bilinear(logits[..., places], size, align_corners=align_corners)
    slots = predict(logits, num_objects)
    loss = frame_loss(logits, labels, num_objects, share)
    return FrameResult(loss, mean_iou(slots, labels, num_objects), slots)


def write_times(num_frames: int, gap: int) -> np.ndarray:
    """Returns for frames 1..T-1 whether they enter the long-term memory; the last never does."""
    index = np.arange(1, num_frames)
    return (index % gap == 0) & (index < num_frames - 1)


def _freeze_identification(variables: Variables, is_frozen: Flag) -> Variables:
    """Stops the gradient into the identification bank and its norm where ``is_frozen``."""
    params = dict(variables["params"])
    params["identification"] = jax.tree.map(
        lambda x: jnp.where(is_frozen, jax.lax.stop_gradient(x), x), params["identification"]
    )
    return {**variables, "params": params}


def _shuffled_places(key: Array | None) -> Int[Array, "o"]:
    """Returns where each slot goes in the identification bank; the background stays."""
    if key is None:
        return jnp.arange(NUM_IDENTITIES)
    places = 1 + jax.random.permutation(jax.random.fold_in(key, 0), MAX_OBJECTS)
    return jnp.concatenate([jnp.zeros(1, places.dtype), places])


def _put_in_places(slots: Mask, places: Int[Array, "o"]) -> Mask:
    return jnp.where(slots == IGNORED, IGNORED, places[jnp.minimum(slots, MAX_OBJECTS)])


def _frame_keys(key: Array | None, num_frames: int) -> tuple[Array | None, Array | None]:
    if key is None:
        return None, None
    keys = jax.random.split(jax.random.fold_in(key, 1), num_frames)
    return keys[0], keys[1:]
