"""MOSE v1 and v2: ``<split>/{JPEGImages,Annotations}/<video>``, ids in ``meta_<split>.json``."""

import dataclasses
import functools
import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from mavos_jax.datasets import listing, protocol
from mavos_jax.datasets.dataset import BenchmarkOptions, DataSet
from mavos_jax.datasets.davis import summarise_davis
from mavos_jax.datasets.protocol import Protocol, Rows, ScoringOptions, SequenceMasks, Summary
from mavos_jax.datasets.sequences import Layout, ListedObject, SequenceFiles, sequences_below
from mavos_jax.media.folders import natural_order, subfolders
from mavos_jax.media.ids import object_ids
from mavos_jax.scores.boundary import boundary_measure, classical_tolerance, tolerance_by_area
from mavos_jax.scores.metrics import ObjectResult, ObjectScores, Statistics, score_frame


def find_mose(options: BenchmarkOptions) -> Layout:
    """Names the videos of a split; the first mask is given, and every later one with new ids."""
    names = options.split_names
    folder = listing.find_pair(options.root, (*names, *listing.own_folder(options.root, names)))
    frames, masks = folder / listing.FRAMES, folder / listing.MASKS
    found = {*listing.require_sequences(frames, subfolders(frames)), *subfolders(masks)}
    return Layout(
        origin=frames,
        sequences=sequences_below(frames, masks, sorted(found, key=natural_order)),
        starts="new ids",
        is_labelled=options.split == "train",
    )


def score_mose(sequence: SequenceFiles, masks: SequenceMasks, options: ScoringOptions) -> Rows:
    """Scores the objects of the given masks on the inner labelled frames after their first mask."""
    inner = sorted(sequence.truth)[1:-1]
    starts = sorted(first_frames(sequence, masks).items())
    counted = {number: [frame for frame in inner if frame > start] for number, start in starts}
    return protocol.score_objects(sequence.name, masks, counted, options)


def first_frames(sequence: SequenceFiles, masks: SequenceMasks) -> dict[int, int]:
    """Finds the frame of the first given mask of each object."""
    starts: dict[int, int] = {}
    for frame, given in sorted(sequence.given.items()):
        for number in object_ids(masks.truth(frame)) if given.ids is None else given.ids:
            starts.setdefault(number, frame)
    return starts


summarise_mose = functools.partial(
    summarise_davis,
    words="as DAVIS 2017: first and last labelled frame dropped, objects that appear later count "
    "after their first mask",
)
MOSE = DataSet(
    find_mose,
    protocol=Protocol(score_mose, summarise_mose),
    trains_on="videos",
    server="https://mose.video",
)


def find_mosev2(options: BenchmarkOptions) -> Layout:
    """Names the videos as for v1 and, if it is there, those and all objects of the metadata."""
    layout = find_mose(options)
    folder = layout.origin.parent
    places = (folder.absolute().parent, folder)
    candidates = [p / f"meta_{name}.json" for p in places for name in options.split_names]
    meta = next(filter(Path.is_file, candidates), None)
    if meta is None:
        return layout
    videos = listing.read_metadata(
        meta, lambda *_: ListedObject(), expected="anything", allow_empty=True, allow_ids=True
    )
    found = {sequence.name for sequence in layout.sequences}
    # Listed videos without frames are told of when they are opened; training does without.
    names = found if options.for_training else found | videos.keys()
    frames, masks = layout.origin, folder / listing.MASKS
    sequences = sequences_below(frames, masks, sorted(names, key=natural_order), videos)
    return dataclasses.replace(layout, origin=meta, sequences=sequences)


def score_mosev2(sequence: SequenceFiles, masks: SequenceMasks, options: ScoringOptions) -> Rows:
    """Scores the objects of the metadata, or else of the given masks, over the inner frames.

    Ids of no object do not count. J has one pixel more in both of its counts, F ("Fdot") has the
    tolerance of :func:`tolerance_by_area`; the official tool's classical F is in ``extra``.
    """
    ids = sorted(sequence.spans) or sorted(first_frames(sequence, masks))
    rows = protocol.score_objects(
        *(sequence.name, masks, dict.fromkeys(ids, sorted(sequence.truth)[1:-1]), options),
        knows_others=True,
        measure=functools.partial(score_frame, tolerance=tolerance_by_area, added=1),
        further={"F": lambda truth, own: boundary_measure(truth, own, classical_tolerance(truth))},
    )
    return rows or tuple(lost_object(sequence.name, number) for number in ids)


def lost_object(sequence: str, number: int) -> ObjectResult:
    """The row of an object without counted frames."""
    zeros = Statistics(0.0, 0.0, 0.0)
    scores = ObjectScores(zeros, zeros)
    return ObjectResult(sequence, number, scores, None, (), (), (), (), {"F": 0.0})


def summarise_mosev2(objects: Sequence[ObjectResult], options: ScoringOptions) -> Summary:
    """Averages over objects; J&F_d and J&F_r are over the frames after they vanish and return."""
    region = protocol.mean_of(objects, protocol.region_mean)
    boundary = protocol.mean_of(objects, protocol.boundary_mean)
    classical = protocol.mean_of(objects, lambda row: row.extra["F"])
    clips = {}
    for letter, is_visible in (("d", False), ("r", True)):
        means = [pair for row in objects if (pair := clip_means(row, is_visible)) is not None]
        clips[f"J&F_{letter}"] = fmean(itertools.chain(*means)) if means else math.nan
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


def clip_means(row: ObjectResult, is_visible: bool) -> tuple[float, float] | None:
    """Averages J and F over the runs of frames in which an object is visible, or is not, if any."""
    seen = row.is_visible
    # Runs weigh the same; in the first nothing has changed yet.
    starts = [i for i in range(1, len(seen)) if seen[i] != seen[i - 1]]
    runs = itertools.pairwise([*starts, len(seen)])
    clips = [slice(start, stop) for start, stop in runs if seen[start] is is_visible]
    if not clips:
        return None
    region, boundary = (fmean(fmean(x[c]) for c in clips) for x in (row.region, row.boundary))
    return region, boundary


MOSEV2 = dataclasses.replace(
    MOSE, find=find_mosev2, protocol=Protocol(score_mosev2, summarise_mosev2, boundary="Fdot")
)
