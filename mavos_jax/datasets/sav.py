"""SA-V: a folder of binary masks for each object, at a quarter of the frames."""

import functools
from pathlib import Path

from mavos_jax.datasets import listing
from mavos_jax.datasets.dataset import BenchmarkOptions, DataSet
from mavos_jax.datasets.davis import summarise_davis
from mavos_jax.datasets.protocol import Protocol, Rows, ScoringOptions, SequenceMasks, score_objects
from mavos_jax.datasets.sequences import Layout, SequenceFiles, SequenceFolders
from mavos_jax.media.folders import describe_folder, subfolders

_FRAMES = "JPEGImages_24fps"
_MASKS = "Annotations_6fps"


def find_sav(options: BenchmarkOptions) -> Layout:
    """Names each object of the videos of ``sav_<split>.txt`` as a sequence: they may overlap."""
    names = [f"sav_{name}" for name in options.split_names]
    listed = listing.read_split(options.root, (".", *names), names)
    frames, masks = listed.path.parent / _FRAMES, listed.path.parent / _MASKS
    return Layout(
        origin=listed.path,
        sequences=tuple(
            SequenceFolders(f"{video}/{place.name}", frames / video, place, place)
            for video in listed.names
            for place in _objects(masks / video)
        ),
        starts="first object",
        saves_labelled=True,
        is_exhaustive=False,
        oddities=listed.oddities,
    )


def _objects(folder: Path) -> list[Path]:
    names = subfolders(folder) if folder.is_dir() else []
    if not names:
        raise ValueError(
            f"{folder}: expected a folder of masks for every object, found "
            f"{describe_folder(folder)}; restore it, or the list that belongs to the videos"
        )
    return [folder / name for name in names]


def score_sav(sequence: SequenceFiles, masks: SequenceMasks, options: ScoringOptions) -> Rows:
    """Scores an object on its inner labelled frames, from where truth or prediction show it."""
    inner = sorted(sequence.truth)[1:-1]
    seen = (
        index
        for index, frame in enumerate(inner)
        if (masks.truth(frame) == 1).any() or (masks.prediction(frame) == 1).any()
    )
    start = next(seen, len(inner))
    return score_objects(sequence.name, masks, {1: inner[start:]}, options)


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
