"""Objects that come later: a clip's reference lacks them, the label of a later frame brings them.

Without them in training, a network does not learn to take an object into a memory of others.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, UInt8

from mavos_jax.axes import Mask, Scalar
from mavos_jax.config import IGNORED


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
    return Given(jnp.where(is_given, slots, 0), known, label)


def draw_label_frame(probability: float, num_frames: int, key: Array) -> Scalar:
    """Draws the frame that brings a label, 1 to T - 2, or 0 for none.

    All clips of a step share it, so that the program runs one of the two ways to memorise a frame.
    """
    whether, where = jax.random.split(key)
    frame = jax.random.randint(where, (), 1, num_frames - 1)
    return jnp.where(jax.random.bernoulli(whether, probability), frame, 0)
