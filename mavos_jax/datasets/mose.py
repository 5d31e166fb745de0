"""MOSE v1: ``<split>/{JPEGImages,Annotations}/<video>``, every frame labelled in train."""

from __future__ import annotations

from collections.abc import Sequence

from mavos_jax.datasets.dataset import BenchmarkOptions, DataSet, Protocol
from mavos_jax.datasets.davis import summarise_davis
from mavos_jax.datasets.listing import (
    FRAMES,
    MASKS,
    find_pair,
    own_folder,
    require_sequences,
    split_names,
)
from mavos_jax.datasets.protocol import ScoringRule, SequenceMasks, Summary, score_objects
from mavos_jax.datasets.sequences import Layout, SequenceFiles, SequenceFolders
from mavos_jax.media.folders import subfolders
from mavos_jax.media.ids import object_ids
from mavos_jax.scores.scores import ObjectResult


def find_mose(options: BenchmarkOptions) -> Layout:
    """Names the videos of a split.

    The first mask is given, and every later one with new ids; where there are several, all of them
    are read for that.
    """
    names = split_names(options.split)
    folder = find_pair(options.root, (*names, *own_folder(options.root, names)))
    frames, masks = folder / FRAMES, folder / MASKS
    return Layout(
        origin=frames,
        sequences=tuple(
            SequenceFolders(name, frames / name, masks / name, masks / name)
            for name in require_sequences(frames, subfolders(frames))
        ),
        starts="new ids",
        is_labelled=options.split == "train",
    )


def score_mose(
    sequence: SequenceFiles, masks: SequenceMasks, rule: ScoringRule
) -> tuple[ObjectResult, ...]:
    """Scores the objects of the given masks, each after the frame of its first.

    Ids may have gaps. Of the frames with truth, the first and the last do not count.
    """
    inner = sorted(sequence.truth)[1:-1]
    starts = sorted(first_frames(sequence, masks).items())
    counted = {number: [frame for frame in inner if frame > start] for number, start in starts}
    return score_objects(sequence.name, masks, counted, rule)


def first_frames(sequence: SequenceFiles, masks: SequenceMasks) -> dict[int, int]:
    """Finds the frame of the first given mask of each object."""
    starts: dict[int, int] = {}
    for frame, given in sorted(sequence.given.items()):
        for number in object_ids(masks.truth(frame)) if given.ids is None else given.ids:
            starts.setdefault(number, frame)
    return starts


def summarise_mose(objects: Sequence[ObjectResult], rule: ScoringRule) -> Summary:
    """Averages as for DAVIS; see :func:`summarise_davis`."""
    words = (
        "as DAVIS 2017: first and last labelled frame dropped, objects that appear later count "
        "after their first mask"
    )
    return summarise_davis(objects, rule, words=words)


MOSE = DataSet(
    find_mose,
    protocol=Protocol(score_mose, summarise_mose),
    trains_on="videos",
    server="https://mose.video",
)
