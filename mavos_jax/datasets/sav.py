"""SA-V: a folder of binary masks for each object, at a quarter of the frames."""

from __future__ import annotations

import functools
from pathlib import Path

from mavos_jax.datasets.dataset import BenchmarkOptions, DataSet, Protocol
from mavos_jax.datasets.davis import summarise_davis
from mavos_jax.datasets.listing import (
    describe_folder,
    find_list,
    find_repeated,
    read_list,
    split_names,
)
from mavos_jax.datasets.protocol import ScoringRule, SequenceMasks, score_objects
from mavos_jax.datasets.sequences import Layout, SequenceFiles, SequenceFolders
from mavos_jax.media.folders import subfolders
from mavos_jax.scores.scores import ObjectResult

_FRAMES = "JPEGImages_24fps"
_MASKS = "Annotations_6fps"


def find_sav(options: BenchmarkOptions) -> Layout:
    """Names every object of the videos of ``sav_<split>.txt`` as a sequence ``<video>/<object>``.

    Objects may overlap, so each is segmented by itself, from its first mask that is not empty. The
    masks of labelled frames make up a result, in the tree that the official tool reads.
    """
    names = [f"sav_{name}" for name in split_names(options.split)]
    origin = find_list(options.root, [f"{f}/{name}.txt" for f in (".", *names) for name in names])
    frames, masks = origin.parent / _FRAMES, origin.parent / _MASKS
    return Layout(
        origin=origin,
        sequences=tuple(
            SequenceFolders(f"{video}/{name}", frames / video, place, place)
            for video in read_list(origin)
            for name, place in _objects(masks / video)
        ),
        starts="first object",
        saves_labelled=True,
        is_exhaustive=False,
        oddities=find_repeated(origin),
    )


def _objects(folder: Path) -> list[tuple[str, Path]]:
    names = subfolders(folder) if folder.is_dir() else []
    if not names:
        raise ValueError(
            f"{folder}: expected a folder of masks for every object, found "
            f"{describe_folder(folder)}; restore it, or the list that belongs to the videos"
        )
    return [(name, folder / name) for name in names]


def score_sav(
    sequence: SequenceFiles, masks: SequenceMasks, rule: ScoringRule
) -> tuple[ObjectResult, ...]:
    """Scores an object on its labelled frames but the first and the last.

    It counts from the first of them on in which it is seen, in the truth or in the prediction.
    """
    inner = sorted(sequence.truth)[1:-1]
    seen = (
        index
        for index, frame in enumerate(inner)
        if (masks.truth(frame) == 1).any() or (masks.prediction(frame) == 1).any()
    )
    start = next(seen, len(inner))
    return score_objects(sequence.name, masks, {1: inner[start:]}, rule)


SAV = DataSet(
    find_sav,
    masks="binary",
    protocol=Protocol(
        score_sav,
        functools.partial(
            summarise_davis,
            words="SA-V: first and last labelled frame dropped, each object from when it is seen",
        ),
    ),
)
