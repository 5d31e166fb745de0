"""Objects: ids and slots, groups of ten, and one mask from the logits of all groups.

Ids are the user's numbers, any of 1..254. Slots are the network's: 1..n without holes. Group i
holds slots 10 i + 1 .. 10 i + 10 and sees the pixels of the others as background.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Integer

from mavos_jax.axes import Mask, Scalar
from mavos_jax.config import IGNORED, MAX_ID, MAX_OBJECTS, NUM_IDENTITIES
from mavos_jax.models.backend import Mapping
from mavos_jax.models.resize import ResizeTaps, apply_taps

UNUSED_LOGIT = -1e10
CHANNEL_BUCKETS = (3, 6, NUM_IDENTITIES)
CLAMP = 1e-5


class ObjectIds:
    """Gives each id of the user's masks a slot, in order of first appearance."""

    def __init__(self, num_objects: int | None = None) -> None:
        """Starts without objects, or with slot = id and all of 1..num_objects in use."""
        is_whole = isinstance(num_objects, int | np.integer)
        if num_objects is not None and not (is_whole and 1 <= num_objects <= MAX_ID):
            raise ValueError(f"num_objects: expected 1 to {MAX_ID}, found {num_objects!r}")
        self._is_fixed = num_objects is not None
        self._ids = list(range(1, (num_objects or 0) + 1))

    @classmethod
    def of(cls, ids: Sequence[int]) -> "ObjectIds":
        """Gives ids their slots in order."""
        known = cls()
        known._ids += ids
        return known

    @property
    def num_objects(self) -> int:
        """Slots in use."""
        return len(self._ids)

    def to_array(self) -> np.ndarray:
        """Returns the id of each slot, uint8."""
        return np.array(self._ids, np.uint8)

    def add(self, mask: np.ndarray, name: str) -> np.ndarray:
        """Registers the new ids of a mask, called ``name``, ascending; returns its uint8 slots."""
        new = [int(i) for i in _ids_of(mask, name) if i not in self._ids]
        if new and self._is_fixed:
            raise ValueError(
                f"{name}: expected ids up to num_objects = {self.num_objects}, found {new}; "
                "give a larger num_objects, or none to number the objects automatically"
            )
        self._ids += new
        return self._look_up(mask)

    def to_slots(self, mask: np.ndarray, name: str) -> np.ndarray:
        """Returns the slots of a mask whose ids are all known."""
        unknown = [int(i) for i in _ids_of(mask, name) if i not in self._ids]
        if unknown:
            raise ValueError(
                f"{name}: expected ids seen in the first mask or in labels, found {unknown}; "
                "num_objects declares ids that come later"
            )
        return self._look_up(mask)

    def _look_up(self, mask: np.ndarray) -> np.ndarray:
        table = np.zeros(256, np.uint8)
        table[IGNORED] = IGNORED
        table[self._ids] = np.arange(1, self.num_objects + 1)
        return table[mask.astype(np.uint8)]

    def to_ids(self, slots: np.ndarray) -> np.ndarray:
        """Returns the user's ids of a map of slots."""
        table = np.zeros(256, np.uint8)
        table[IGNORED] = IGNORED
        table[1 : self.num_objects + 1] = self._ids
        return table[slots]


def _ids_of(mask: np.ndarray, name: str) -> np.ndarray:
    if not np.issubdtype(mask.dtype, np.integer) and mask.dtype != bool:
        raise ValueError(f"{name}: expected integer ids, found {mask.dtype}")
    found = np.unique(mask)
    if found.size and (found[0] < 0 or found[-1] > IGNORED):
        raise ValueError(
            f"{name}: expected ids in 1..{MAX_ID} (255 is an ignored pixel), found "
            f"{int(found[0])}..{int(found[-1])}; masks are stored as uint8"
        )
    return found[(found != 0) & (found != IGNORED)]


def num_groups(num_objects: int) -> int:
    """Returns how many groups of ten hold the objects."""
    return max(1, -(-num_objects // MAX_OBJECTS))


def num_identities(num_objects: int) -> int:
    """Returns the channels to compute for a group: the smallest bucket that covers its objects."""
    return next(bucket for bucket in CHANNEL_BUCKETS if bucket > min(num_objects, MAX_OBJECTS))


def split_groups(mask: Mask, groups: int) -> Integer[Array, "g h w"]:
    """Returns the mask of each group: its own slots as 1..10, the others' pixels as 0."""
    first = jnp.arange(groups)[:, None, None] * MAX_OBJECTS
    local = mask[None].astype(jnp.int32) - first
    is_own = (local >= 1) & (local <= MAX_OBJECTS)
    return jnp.where(mask[None] == IGNORED, IGNORED, jnp.where(is_own, local, 0))


def mask_unused(logits: Float[Array, "g h w o"], num_objects: Scalar) -> Float[Array, "g h w o"]:
    """Returns the logits with -1e10 for the identities above the number of objects in use."""
    first = jnp.arange(logits.shape[0])[:, None] * MAX_OBJECTS
    in_use = jnp.arange(logits.shape[-1]) <= num_objects - first
    in_use = in_use | (jnp.arange(logits.shape[-1]) == 0)
    return jnp.where(in_use[:, None, None], logits, UNUSED_LOGIT)


def shown_slots(label: Integer[Array, "H W"]) -> Bool[Array, "256"]:
    """Returns which slots a label shows, by number."""
    return jnp.zeros(256, bool).at[label].set(True).at[jnp.array((0, IGNORED))].set(False)


def put_label(
    label: Integer[Array, "H W"], slots: Integer[Array, "H W"], *, erase: bool | Array = True
) -> Array:
    """Returns slots under a label: objects that it shows get its pixels.

    If it may ``erase``, they lose all others; an array, bool [256], says which slots do.
    """
    lost = erase if isinstance(erase, Array) else shown_slots(label) & erase
    return jnp.where(label > 0, label, jnp.where(lost[slots], 0, slots))


def predict_slots(
    logits: Float[Array, "g h w o"],
    output: tuple[ResizeTaps, ResizeTaps],
    *,
    channels: int,
    groups: Mapping,
) -> Integer[Array, "H W"]:
    """Returns the likeliest slot of each pixel after upsampling.

    Only the first ``channels`` identities of a group, those that can be in use, are upsampled.
    ``sequential`` groups are merged in a loop, one full-size map at a time; ``batched`` ones
    without, since a loop would end a GPU's graph.
    """
    if logits.shape[0] == 1:
        return most_likely(apply_taps(logits[0, ..., :channels], *output))

    def merge(carry: tuple[Array, ...], group: tuple[Array, Array]) -> tuple[Any, None]:
        background, best, slot = carry
        group_logits, first = group
        full = apply_taps(group_logits[..., :channels], *output)
        probabilities = jax.nn.softmax(full, axis=-1)
        value, index = likeliest(_clamped_logit(probabilities[..., 1:]))
        is_better = value > best
        slot = jnp.where(is_better, (index + first + 1).astype(jnp.uint8), slot)
        return (background * probabilities[..., 0], jnp.maximum(best, value), slot), None

    size = (output[0].indices.shape[0], output[1].indices.shape[0])
    start = (jnp.ones(size), jnp.full(size, -jnp.inf), jnp.zeros(size, jnp.uint8))
    (background, best, slot), _ = jax.lax.scan(
        merge, start, (logits, jnp.arange(len(logits)) * MAX_OBJECTS), unroll=groups == "batched"
    )
    return jnp.where(best > _clamped_logit(background), slot, jnp.uint8(0))


def identity_probabilities(
    logits: Float[Array, "g h w o"], output: tuple[ResizeTaps, ResizeTaps], *, channels: int
) -> Float[Array, "H W p"]:
    """Returns the probabilities, of which :func:`predict_slots` takes the largest."""
    if logits.shape[0] == 1:
        return jax.nn.softmax(apply_taps(logits[0, ..., :channels], *output), axis=-1)
    return jax.nn.softmax(merged_logits(logits, output), axis=-1)


def merged_logits(
    logits: Float[Array, "g h w o"], output: tuple[ResizeTaps, ResizeTaps]
) -> Float[Array, "h2 w2 p"]:
    """Returns the merged logits of all groups, 1 + 10 g channels, at the taps' rows and columns.

    The background is the product of the groups' backgrounds; the foregrounds stand side by side;
    probabilities are clamped to [1e-5, 1 - 1e-5]. A group's unused slots stay in, at the clamp.
    """
    probabilities = jax.nn.softmax(jax.vmap(lambda x: apply_taps(x, *output))(logits), axis=-1)
    background = probabilities[..., :1].prod(axis=0)
    foreground = [group[..., 1:] for group in probabilities]
    return _clamped_logit(jnp.concatenate([background, *foreground], axis=-1))


def most_likely(scores: Float[Array, "H W p"]) -> Integer[Array, "H W"]:
    """Returns the slot of the largest score of each pixel, the first of equals."""
    return likeliest(scores)[1].astype(jnp.uint8)


def _clamped_logit(probability: Array) -> Array:
    clamped = jnp.clip(probability, CLAMP, 1 - CLAMP)
    return jnp.log(clamped / (1 - clamped))


def likeliest(x: Float[Array, "h w o"]) -> tuple[Float[Array, "h w"], Integer[Array, "h w"]]:
    """Returns the largest value over the last axis and its first index.

    Comparing channel by channel fuses with what computes them; reducing so short an axis does not.
    """
    best, index = x[..., 0], jnp.zeros(x.shape[:-1], jnp.int32)
    for channel in range(1, x.shape[-1]):
        is_better = x[..., channel] > best
        best = jnp.where(is_better, x[..., channel], best)
        index = jnp.where(is_better, channel, index)
    return best, index
