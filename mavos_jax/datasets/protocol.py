"""How data sets are scored: protocols, their variants, and what they share."""

import dataclasses
import statistics as means
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from mavos_jax.datasets.sequences import SequenceFiles
from mavos_jax.scores import metrics
from mavos_jax.scores.metrics import ObjectResult, ObjectScores

LvosRule = Literal["2024-05", "before-2024-05"]
LongTimeVideoRule = Literal["davis", "afb-urr"]

_PARTS = ("seen", "unseen")


@dataclasses.dataclass(frozen=True)
class ScoringOptions:
    """Variants of the protocols; each data set reads those that apply to it."""

    official_decay: bool = False  # see :func:`mavos_jax.scores.metrics.statistics`
    lvos: LvosRule = "2024-05"  # since then, both ends of an object's life span are dropped
    long_time_video: LongTimeVideoRule = "davis"  # drops the last label, "afb-urr" keeps it
    unseen: frozenset[str] | None = None  # videos or categories that training lacked, if known


class SequenceMasks(NamedTuple):
    """The masks of a sequence by frame index, read on demand: integer ids [H, W]."""

    truth: Callable[[int], np.ndarray]
    prediction: Callable[[int], np.ndarray]
    origin: Callable[[int], str] = "prediction of frame {}".format


Rows = tuple[ObjectResult, ...]  # the scores of a sequence's objects
Objects = Sequence[ObjectResult]  # the scores of a whole set, or of a part of it
Summary = tuple[str, dict[str, float]]  # the protocol in words; scores of a set, the headline first


class Protocol(NamedTuple):
    """How a data set is scored."""

    # Gives the rows of a sequence's objects; raises ValueError for masks with wrong ids.
    score: Callable[[SequenceFiles, SequenceMasks, ScoringOptions], Rows]
    summarise: Callable[[Objects, ScoringOptions], Summary]  # from all rows
    # Makes the official columns of the summary, where they differ.
    official_row: Callable[[Mapping[str, float]], Mapping[str, float]] = lambda summary: summary
    boundary: str = "F"  # its name in the table of objects, empty if the set has none
    # What of a sequence may be new to a network: its name, or its categories.
    unseen_names: Callable[[SequenceFiles], Iterable[str]] = lambda sequence: ()


def score_objects(
    name: str,
    masks: SequenceMasks,
    counted: Mapping[int, Sequence[int]],
    options: ScoringOptions,
    *,
    knows_others: bool = False,
    measure: metrics.FrameScorer = metrics.score_frame,
    further: Mapping[str, Callable[[np.ndarray, np.ndarray], float]] = {},
) -> Rows:
    """Scores every object over its frames in ``counted``, ascending; reads no masks of others.

    Predicted ids above all objects are background if it ``knows_others``, else a ValueError.
    ``further`` measures of an object's true and predicted mask are averaged in ``extra``.
    """
    at_frame: dict[int, list[int]] = {}
    for number, frames in counted.items():
        for frame in frames:
            at_frame.setdefault(frame, []).append(number)
    values: dict[int, list[tuple]] = {number: [] for number in counted}
    for frame, ids in sorted(at_frame.items()):
        truth, prediction = masks.truth(frame), masks.prediction(frame)
        if not knows_others and (found := int(prediction.max())) > (highest := max(counted)):
            raise ValueError(
                f"{masks.origin(frame)}: expected object ids up to {highest}, the highest in "
                f"{name}, found {found}; number the objects as in the given masks, with 0 for the "
                "background"
            )
        region, boundary = measure(truth, prediction, ids)
        is_visible = np.isin(ids, truth)
        for index, number in enumerate(ids):
            more = (each(truth == number, prediction == number) for each in further.values())
            scores = float(region[index]), float(boundary[index])
            values[number].append((frame, *scores, bool(is_visible[index]), *more))
    rows = []
    for number, by_frame in values.items():
        if by_frame:
            frames, region, boundary, is_visible, *more = zip(*by_frame, strict=True)
            head = name, number, sum_up(region, boundary, options), None
            extra = dict(zip(further, map(means.fmean, more), strict=True))
            rows.append(ObjectResult(*head, frames, region, boundary, is_visible, extra))
    return tuple(rows)


def sum_up(
    region: Sequence[float], boundary: Sequence[float], options: ScoringOptions
) -> ObjectScores:
    """Computes the statistics of an object's J and F by frame."""
    decay = options.official_decay
    return ObjectScores(*(metrics.statistics(x, official_decay=decay) for x in (region, boundary)))


def split_by_seen(objects: Objects) -> dict[str, tuple[ObjectResult, ...]]:
    """Sorts objects into seen and unseen ones; leaves out empty parts and unknown objects."""
    parts = {
        name: tuple(row for row in objects if row.is_unseen is is_unseen)
        for name, is_unseen in zip(_PARTS, (False, True), strict=True)
    }
    return {name: part for name, part in parts.items() if part}


def describe_parts(objects: Objects, kind: str) -> str:
    """Describes the headline; ``kind`` names what can be unseen, in the plural."""
    parts = split_by_seen(objects)
    if not parts:
        return f"no list of unseen {kind} given: plain means over objects"
    missing = [name for name in _PARTS if name not in parts]
    if missing:
        (there,) = parts
        return f"no {missing[0]} {kind}: the headline is the mean of J and F of the {there} alone"
    return f"the headline is the mean of J and F of seen and unseen {kind}"


def mean_of(objects: Objects, value: Callable[[ObjectResult], float]) -> float:
    """Averages one value of at least one object."""
    return means.fmean(map(value, objects))


def region_mean(row: ObjectResult) -> float:
    """The object's mean J."""
    return row.scores.region.mean


def boundary_mean(row: ObjectResult) -> float:
    """The object's mean F."""
    return row.scores.boundary.mean
