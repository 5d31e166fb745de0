"""Any folder ``JPEGImages/<sequence>`` beside ``Annotations/<sequence>``, in a split or not."""

from __future__ import annotations

from pathlib import Path

from mavos_jax.datasets.dataset import BenchmarkOptions, DataSet, Protocol
from mavos_jax.datasets.listing import (
    FRAMES,
    MASKS,
    find_list,
    find_pair,
    read_list,
    require_sequences,
    split_names,
)
from mavos_jax.datasets.mose import score_mose, summarise_mose
from mavos_jax.datasets.sequences import Layout, SequenceFolders
from mavos_jax.media.folders import name_some, nested_folders

_ONLY = "frames"
"""The name of a sequence whose frames lie in ``JPEGImages`` itself."""
_LIST_FOLDERS = ("ImageSets", ".")
_SPLITS = ("train", "val", "valid", "trainval", "test", "test-dev")


def find_folder(options: BenchmarkOptions) -> Layout:
    """Names every folder of images, below ``<root>/<split>`` if that has any, else below the root.

    They lie at most two levels below ``JPEGImages``. Frames in ``JPEGImages`` itself are the
    sequence ``frames``. Training takes the sequences that ``<root>/<split>.txt`` or
    ``<root>/ImageSets/<split>.txt`` names, where there are such lists.

    The first mask is given, and every later one with new ids. All masks are truth if every object
    is in more than one of them.
    """
    root = options.root
    folder = find_pair(root, (*split_names(options.split), "."))
    frames, masks = folder / FRAMES, folder / MASKS
    names = nested_folders(frames)
    if options.for_training and folder == root and _has_lists(root, options.split):
        origin = find_list(root, [f"{lists}/{options.split}.txt" for lists in _LIST_FOLDERS])
        names = _choose(frames, names, read_list(origin))
    return Layout(
        origin=frames,
        sequences=tuple(
            SequenceFolders(
                _ONLY if name == "." else name, frames / name, masks / name, masks / name
            )
            for name in require_sequences(frames, names)
        ),
        starts="new ids",
        is_gapless=False,
        is_loose=True,
    )


def _has_lists(root: Path, split: str) -> bool:
    """Whether there is a list of any split; other texts beside the data are no lists."""
    return any(
        (root / folder / f"{name}.txt").is_file()
        for folder in _LIST_FOLDERS
        for name in (split, *_SPLITS)
    )


def _choose(frames: Path, found: tuple[str, ...], named: tuple[str, ...]) -> tuple[str, ...]:
    """Picks the sequences that a list names, by relative or by last name."""
    chosen = tuple(name for name in found if name in named or Path(name).name in named)
    known = {*chosen, *(Path(name).name for name in chosen)}
    missing = [name for name in named if name not in known]
    if missing:
        raise ValueError(
            f"{frames}: expected folders of frames for all listed sequences, found none for "
            f"{len(missing)}: {name_some(missing)}"
        )
    return chosen


ANY_FOLDER = DataSet(find_folder, protocol=Protocol(score_mose, summarise_mose), trains_on="videos")
