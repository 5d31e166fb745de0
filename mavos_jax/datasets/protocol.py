"""Scores the objects of a sequence over the frames that count, whatever the protocol."""

from __future__ import annotations

import dataclasses
import statistics as means
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from mavos_jax.scores.metrics import FrameScorer, ObjectScores, score_frame, statistics
from mavos_jax.scores.scores import ObjectResult

LvosRule = Literal["2024-05", "before-2024-05"]
LongTimeVideoRule = Literal["davis", "afb-urr"]

_PARTS = ("seen", "unseen")


@dataclasses.dataclass(frozen=True)
class ScoringRule:
    """Variants of the protocols; each data set looks at those that concern it.

    Attributes:
      official_decay: see :func:`mavos_jax.scores.metrics.statistics`.
      lvos: the official tool of LVOS since May 2024, which drops the first and the last frame of an
        object's life span, or the earlier one, which drops none.
      long_time_video: the rule of DAVIS, which drops the first and the last label, or that of
        AFB-URR, which drops only the first.
      unseen: names of the videos (LVOS) or categories (YouTube-VOS) that training has not seen;
        None if unknown, which leaves means over all objects.
    """

    official_decay: bool = False
    lvos: LvosRule = "2024-05"
    long_time_video: LongTimeVideoRule = "davis"
    unseen: frozenset[str] | None = None


class SequenceMasks(NamedTuple):
    """The masks of a sequence, read on demand: ids, integers [H, W], of a frame by its index.

    ``origin`` names the prediction of a frame in messages.
    """

    truth: Callable[[int], np.ndarray]
    prediction: Callable[[int], np.ndarray]
    origin: Callable[[int], str] = "prediction of frame {}".format


Summary = tuple[str, dict[str, float]]
"""The rule in words, and the summary of a set, its headline first."""


def score_objects(
    name: str,
    masks: SequenceMasks,
    counted: Mapping[int, Sequence[int]],
    rule: ScoringRule,
    *,
    knows_others: bool = False,
    measure: FrameScorer = score_frame,
    further: Mapping[str, Callable[[np.ndarray, np.ndarray], float]] | None = None,
) -> tuple[ObjectResult, ...]:
    """Scores every object over its own frames.

    Args:
      name: of the sequence.
      masks: only those of frames that count are read.
      counted: the frames that count, ascending, by object. An object without any gets no row, but
        its id is no error.
      rule: ``official_decay`` counts.
      knows_others: whether ids above all objects are background rather than an error.
      measure: gives J and F of the objects of a frame.
      further: more measures of an object's true and predicted mask, whose means over frames are in
        the row's ``extra``.

    Raises:
      ValueError: a predicted id is above those of all objects, unless others are known.
    """
    at_frame: dict[int, list[int]] = {}
    for number, frames in counted.items():
        for frame in frames:
            at_frame.setdefault(frame, []).append(number)
    values: dict[int, list[tuple]] = {number: [] for number in counted}
    further = further or {}
    for frame, ids in sorted(at_frame.items()):
        truth, prediction = masks.truth(frame), masks.prediction(frame)
        if not knows_others:
            _require_known_ids(name, masks.origin(frame), prediction, highest=max(counted))
        region, boundary = measure(truth, prediction, ids)
        is_visible = np.isin(ids, truth)
        for index, number in enumerate(ids):
            more = (each(truth == number, prediction == number) for each in further.values())
            scores = float(region[index]), float(boundary[index])
            values[number].append((frame, *scores, bool(is_visible[index]), *more))
    return tuple(
        _make_row(name, number, zip(*of_object, strict=True), rule, further)
        for number, of_object in values.items()
        if of_object
    )


def _make_row(
    name: str, number: int, columns: Iterable[tuple], rule: ScoringRule, further: Iterable[str]
) -> ObjectResult:
    """Reduces an object's values by frame to their statistics."""
    frames, region, boundary, is_visible, *more = columns
    scores = sum_up(region, boundary, rule)
    extra = dict(zip(further, map(means.fmean, more), strict=True))
    return ObjectResult(*(name, number, scores, None), frames, region, boundary, is_visible, extra)


def sum_up(region: Sequence[float], boundary: Sequence[float], rule: ScoringRule) -> ObjectScores:
    """Computes the statistics of an object's J and F by frame."""
    decay = rule.official_decay
    return ObjectScores(*(statistics(v, official_decay=decay) for v in (region, boundary)))


def split_by_seen(objects: Sequence[ObjectResult]) -> dict[str, tuple[ObjectResult, ...]]:
    """Sorts objects into seen and unseen ones, without empty parts; empty if nothing tells."""
    parts = {
        name: tuple(row for row in objects if row.is_unseen is is_unseen)
        for name, is_unseen in zip(_PARTS, (False, True), strict=True)
    }
    return {name: part for name, part in parts.items() if part}


def describe_parts(objects: Sequence[ObjectResult], kind: str) -> str:
    """Says how the headline comes about; ``kind`` names what can be unseen, in the plural."""
    parts = split_by_seen(objects)
    if not parts:
        return f"no list of unseen {kind} given: plain means over objects"
    missing = [name for name in _PARTS if name not in parts]
    if missing:
        (there,) = parts
        return f"no {missing[0]} {kind}: the headline is the mean of J and F of the {there} alone"
    return f"the headline is the mean of J and F of seen and unseen {kind}"


def mean_of(objects: Sequence[ObjectResult], value: Callable[[ObjectResult], float]) -> float:
    """Averages one value of at least one object."""
    return means.fmean(map(value, objects))


def region_mean(row: ObjectResult) -> float:
    """The object's mean J."""
    return row.scores.region.mean


def boundary_mean(row: ObjectResult) -> float:
    """The object's mean F."""
    return row.scores.boundary.mean


def _require_known_ids(name: str, origin: str, prediction: np.ndarray, highest: int) -> None:
    found = int(prediction.max())
    if found > highest:
        raise ValueError(
            f"{origin}: expected object ids up to {highest}, the highest in {name}, found "
            f"{found}; number the objects as in the given masks, with 0 for the background"
        )
