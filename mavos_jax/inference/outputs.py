"""What a frame gives beside its slots: logits, or how sure they are of every object."""

import functools
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8

from mavos_jax.axes import Flag, Scalar
from mavos_jax.config import IGNORED, MAX_OBJECTS, NUM_IDENTITIES
from mavos_jax.inference.geometry import DECODER_STRIDE
from mavos_jax.inference.objects import identity_probabilities, likeliest, merged_logits
from mavos_jax.models.resize import ResizeTaps

LogitsForm = Literal["none", "stride4", "merged", "confidence", "soft"]
"""What to return of the first view's logits: nothing, one group's at stride 4, all groups' merged,
the confidence in every object, or that with the soft masks of all views together."""

ViewLogits = tuple[Float[Array, "g _h _w o"], tuple[ResizeTaps, ResizeTaps]]
"""The logits of a view, whose size may be its own, and the taps from them to the output."""

MERGED_STEP = 4  # merged logits are returned at every fourth row and column of the output
# A network that loses an object is as sure as when it is gone: of those not seen in the held-out
# videos, three in four are gone.
SURE_OF_UNSEEN = 0.8
SURE_ENOUGH = 0.7  # the mean probability inside a mask that ``write_when = "confident"`` writes


class Confidence(NamedTuple):
    """How sure a frame's result is, of each object; see :class:`~mavos_jax.Output`."""

    mean: Any  # float [s], like the margin
    margin: Any
    present: Any  # bool [s]
    soft: Any = None  # on request 255 times the probability of each object, uint8 [H, W, s]


class Judgement(NamedTuple):
    """How sure a frame's result is of one object; see :class:`~mavos_jax.Output`."""

    confidence: float
    margin: float
    present: bool


Judged = tuple[dict[int, Judgement], dict[int, np.ndarray]]
"""What is known of a frame's objects by id, and on request their soft masks, uint8 [H, W]."""


def judged(ids: np.ndarray, confidence: Confidence) -> Judged:
    """Returns what is known by id; the first entries are those of ``ids``."""
    *columns, soft = confidence
    rows = map(Judgement, *(np.asarray(column).tolist() for column in columns))
    found = dict(zip(ids.tolist(), rows, strict=False))
    if soft is None:
        return found, {}
    return found, {number: soft[..., slot] for slot, number in enumerate(found)}


def given_judged(mask: np.ndarray, *, with_soft: bool = False) -> Judged:
    """Returns that the objects of a given mask are sure."""
    ids = sorted(set(np.unique(mask).tolist()) - {0, IGNORED})
    soft = {i: np.where(mask == i, 255, 0).astype(np.uint8) for i in ids} if with_soft else {}
    return dict.fromkeys(ids, Judgement(1.0, 1.0, True)), soft


def judge(logits: Float[Array, "h w p"], num_objects: int) -> Confidence:
    """Returns the confidence in the likeliest slots of one group's or all groups' merged logits."""
    probabilities = jax.nn.softmax(logits, axis=-1)
    best, slots = likeliest(probabilities)
    numbers = jnp.arange(1, num_objects + 1)
    own = probabilities[..., 1 : num_objects + 1]
    is_other = jnp.arange(probabilities.shape[-1]) != slots[..., None]
    lead = best - jnp.where(is_other, probabilities, 0).max(axis=-1)
    is_inside = slots[..., None] == numbers
    area = is_inside.sum(axis=(0, 1))

    def mean(values: Array) -> Array:
        return jnp.where(is_inside, values, 0).sum(axis=(0, 1)) / jnp.maximum(area, 1)

    present = area > 0
    unseen = SURE_OF_UNSEEN * (1 - own.max(axis=(0, 1)))
    inside = jnp.where(present, mean(own), unseen)
    return Confidence(inside, mean(lead[..., None]), present)


def are_sure(logits: Float[Array, "g h w o"], num_objects: Scalar) -> Flag:
    """Returns whether every object in use is seen, and surely enough to be remembered."""
    channels = logits.shape[-1] - 1
    found = jax.vmap(functools.partial(judge, num_objects=channels))(logits)
    slots = jnp.arange(logits.shape[0])[:, None] * MAX_OBJECTS + jnp.arange(channels)
    return ((slots >= num_objects) | (found.present & (found.mean >= SURE_ENOUGH))).all()


def select_logits(
    views: Sequence[ViewLogits], form: LogitsForm, identities: int
) -> Array | Confidence | None:
    """Returns what is asked for of a frame's logits; the confidence is that of all channels."""
    logits, output = views[0]
    is_alone = logits.shape[0] == 1
    if form == "none":
        return None
    if form == "soft":
        found: Any = select_logits(views, "confidence", identities)
        return found._replace(soft=_soft_masks(views, identities))
    if form == "stride4":
        return logits[0]
    if form == "confidence" and is_alone:
        return judge(logits[0, ..., :identities], identities - 1)
    rows, columns = (
        ResizeTaps(taps.indices[::MERGED_STEP], taps.weights[::MERGED_STEP]) for taps in output
    )
    merged = merged_logits(logits, (rows, columns))
    return judge(merged, merged.shape[-1] - 1) if form == "confidence" else merged


def _soft_masks(views: Sequence[ViewLogits], identities: int) -> UInt8[Array, "H W s"]:
    chances = [
        # Apart from the masks' own sums, which fused with these could round differently.
        identity_probabilities(jax.lax.optimization_barrier(logits), output, channels=identities)
        for logits, output in views
    ]
    mean = sum(chances[1:], chances[0]) / len(chances)
    return jnp.rint(255 * mean[..., 1:]).astype(jnp.uint8)


def selected_like(
    network_size: tuple[int, int],
    output_size: tuple[int, int],
    groups: int,
    form: LogitsForm,
    identities: int = NUM_IDENTITIES,
) -> Any:
    """Returns the shapes and types of what :func:`select_logits` returns."""
    rows, columns = (-(-n // DECODER_STRIDE) for n in network_size)
    shape: Any = jax.ShapeDtypeStruct
    logits = shape((groups, rows, columns, NUM_IDENTITIES), np.float32)
    output = tuple(
        ResizeTaps(shape((n, 2), np.int32), shape((n, 2), np.float32)) for n in output_size
    )
    return jax.eval_shape(lambda views: select_logits(views, form, identities), [(logits, output)])
