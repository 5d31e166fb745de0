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
the confidence in every object, or that and the soft masks of all views together."""

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


class Soft(NamedTuple):
    """The confidence and the soft masks of a frame; both by id once they are on the host."""

    confidence: Any
    masks: Any  # the probability of each object times 255, uint8 [H, W, s]


class Judgement(NamedTuple):
    """How sure a frame's result is of one object; see :class:`~mavos_jax.Output`."""

    confidence: float
    margin: float
    present: bool


def judgements(ids: np.ndarray, confidence: Confidence) -> dict[int, Judgement]:
    """Returns what is known of a frame's objects by id; the first entries are those of ``ids``."""
    columns = (np.asarray(column).tolist() for column in confidence)
    return dict(zip(ids.tolist(), map(Judgement, *columns), strict=False))


def given_judgement(mask: np.ndarray) -> dict[int, Judgement]:
    """Returns that the objects of a given mask are sure."""
    ids = sorted(set(np.unique(mask).tolist()) - {0, IGNORED})
    return dict.fromkeys(ids, Judgement(1.0, 1.0, True))


def masks_by_id(ids: np.ndarray, masks: np.ndarray) -> dict[int, np.ndarray]:
    """Returns the soft mask, uint8 [H, W], of each object; the first ones are those of ``ids``."""
    return {number: masks[..., slot] for slot, number in enumerate(ids.tolist())}


def given_soft(mask: np.ndarray) -> Soft:
    """Returns what :func:`given_judgement` does, and the objects of a mask without any doubt."""
    judged = given_judgement(mask)
    return Soft(judged, {number: 255 * (mask == number).astype(np.uint8) for number in judged})


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
    views: Sequence[tuple[Float[Array, "g h w o"], tuple[ResizeTaps, ResizeTaps]]],
    form: LogitsForm,
    identities: int,
) -> Array | Confidence | Soft | None:
    """Returns what is asked for of a frame's logits; the confidence is that of all channels.

    Each of the ``views`` has its logits, and the taps from them to the output.
    """
    if form == "none":
        return None
    if form == "soft":
        return Soft(select_logits(views, "confidence", identities), _soften(views, identities))
    logits, output = views[0]
    is_alone = logits.shape[0] == 1
    if form == "stride4":
        return logits[0]
    if form == "confidence" and is_alone:
        return judge(logits[0, ..., :identities], identities - 1)
    rows, columns = (
        ResizeTaps(taps.indices[::MERGED_STEP], taps.weights[::MERGED_STEP]) for taps in output
    )
    merged = merged_logits(logits, (rows, columns))
    return judge(merged, merged.shape[-1] - 1) if form == "confidence" else merged


def _soften(
    views: Sequence[tuple[Float[Array, "g h w o"], tuple[ResizeTaps, ResizeTaps]]], identities: int
) -> UInt8[Array, "H W s"]:
    chances = [
        # Apart from the masks' own sums, which fused with these would round differently.
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
    objects = identities - 1 if groups == 1 else MAX_OBJECTS * groups
    match form:
        case "none":
            return None
        case "confidence":
            means = jax.ShapeDtypeStruct((objects,), np.float32)
            return Confidence(means, means, jax.ShapeDtypeStruct((objects,), bool))
        case "soft":
            sizes = network_size, output_size, groups, "confidence", identities
            masks = jax.ShapeDtypeStruct((*output_size, objects), np.uint8)
            return Soft(selected_like(*sizes), masks)
        case "merged":
            rows, columns = (-(-n // MERGED_STEP) for n in output_size)
            shape = rows, columns, 1 + MAX_OBJECTS * groups
        case "stride4":
            rows, columns = (-(-n // DECODER_STRIDE) for n in network_size)
            shape = rows, columns, NUM_IDENTITIES
    return jax.ShapeDtypeStruct(shape, np.float32)
