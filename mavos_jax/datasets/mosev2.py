"""MOSE v2: laid out as MOSE v1, with the ids of objects in ``meta_<split>.json``."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Iterator, Sequence
from statistics import fmean

import numpy as np

from mavos_jax.datasets.dataset import BenchmarkOptions, DataSet, Protocol
from mavos_jax.datasets.listing import split_names
from mavos_jax.datasets.metadata import read_metadata
from mavos_jax.datasets.mose import find_mose, first_frames
from mavos_jax.datasets.protocol import (
    ScoringRule,
    SequenceMasks,
    Summary,
    boundary_mean,
    mean_of,
    region_mean,
    score_objects,
)
from mavos_jax.datasets.sequences import Layout, ListedObject, SequenceFiles
from mavos_jax.scores.boundary import boundary_measure, classical_tolerance, tolerance_by_area
from mavos_jax.scores.metrics import ObjectScores, Statistics, score_frame
from mavos_jax.scores.scores import ObjectResult

_ZERO = Statistics(0.0, 0.0, 0.0)


def find_mosev2(options: BenchmarkOptions) -> Layout:
    """Names the videos of a split as for MOSE v1, and their objects where metadata are there.

    ``meta_<split>.json`` lies beside the split's folder, or in it.
    """
    layout = find_mose(options)
    folder = layout.origin.parent
    places = (folder.absolute().parent, folder)
    candidates = [p / f"meta_{name}.json" for p in places for name in split_names(options.split)]
    meta = next((path for path in candidates if path.is_file()), None)
    if meta is None:
        return layout
    videos = read_metadata(
        *(meta, lambda video, value: ListedObject()),
        expected="anything",
        allow_empty=True,
        allow_ids=True,
    )
    sequences = (s._replace(objects=videos.get(s.name, {})) for s in layout.sequences)
    return dataclasses.replace(layout, origin=meta, sequences=tuple(sequences))


def score_mosev2(
    sequence: SequenceFiles, masks: SequenceMasks, rule: ScoringRule
) -> tuple[ObjectResult, ...]:
    """Scores the objects of the metadata, or else of the given masks, over all frames but two.

    The first and the last frame do not count, nor do ids of no object. J has one pixel more in both
    of its counts, and F ("Fdot") the tolerance of :func:`tolerance_by_area`; the classical F of the
    official tool is in ``extra``. An object of a video of two frames scores 0, as by that tool.
    """
    ids = sorted(sequence.spans) or sorted(first_frames(sequence, masks))
    counted = dict.fromkeys(ids, sorted(sequence.truth)[1:-1])
    rows = score_objects(
        *(sequence.name, masks, counted, rule),
        knows_others=True,
        measure=functools.partial(score_frame, tolerance=tolerance_by_area, added=1),
        further={"F": _classical_boundary},
    )
    return rows or tuple(lost_object(sequence.name, number) for number in ids)


def lost_object(sequence: str, number: int) -> ObjectResult:
    """The row of an object of which no frame counts."""
    zeros = ObjectScores(_ZERO, _ZERO)
    return ObjectResult(sequence, number, zeros, None, (), (), (), (), {"F": 0.0})


def _classical_boundary(truth: np.ndarray, prediction: np.ndarray) -> float:
    return boundary_measure(truth, prediction, classical_tolerance(truth))


def summarise_mosev2(objects: Sequence[ObjectResult], rule: ScoringRule) -> Summary:
    """Averages over objects, as the official tool does.

    J&Fdot is the headline. J&F_d and J&F_r are those of the frames in which an object has
    disappeared and reappeared, over the objects that do; NaN if none does.
    """
    del rule
    region, boundary = mean_of(objects, region_mean), mean_of(objects, boundary_mean)
    classical = mean_of(objects, lambda row: row.extra["F"])
    clips = {
        f"J&F_{letter}": _mean_of_clips(objects, is_visible)
        for letter, is_visible in (("d", False), ("r", True))
    }
    return (
        "MOSEv2: first and last frame dropped, J with one pixel added to both counts, F with a "
        "tolerance of at most ceil(0.1 sqrt(area)); means over objects",
        {
            "J&Fdot": (region + boundary) / 2,
            "J": region,
            "Fdot": boundary,
            **clips,
            "F": classical,
            "J&F": (region + classical) / 2,
        },
    )


def _mean_of_clips(objects: Sequence[ObjectResult], is_visible: bool) -> float:
    """The mean over objects of J and F in the clips after a disappearance or reappearance."""
    means = [pair for row in objects if (pair := clip_means(row, is_visible)) is not None]
    return fmean(value for pair in means for value in pair) if means else math.nan


def clip_means(row: ObjectResult, is_visible: bool) -> tuple[float, float] | None:
    """Averages J and F of an object over the clips in which it is visible, or is not.

    Clips are the longest runs of such frames, and weigh the same; that which the first frame
    belongs to is left out, since nothing has changed there. None if there is no other.
    """
    runs = _runs(row.is_visible)
    clips = [run for run in runs if run.start and row.is_visible[run.start] is is_visible]
    if not clips:
        return None
    return (
        fmean(fmean(row.region[clip]) for clip in clips),
        fmean(fmean(row.boundary[clip]) for clip in clips),
    )


def _runs(values: Sequence[bool]) -> Iterator[slice]:
    """Yields the runs of equal values."""
    start = 0
    for _, run in itertools.groupby(values):
        stop = start + len(list(run))
        yield slice(start, stop)
        start = stop


MOSEV2 = DataSet(
    find_mosev2,
    protocol=Protocol(score_mosev2, summarise_mosev2),
    trains_on="videos",
    server="https://mose.video",
)
