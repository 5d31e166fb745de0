"""Any folder ``JPEGImages/<sequence>`` beside ``Annotations/<sequence>``, in a split or not."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from mavos_jax.config.data import SourceConfig
from mavos_jax.datasets.dataset import BenchmarkOptions, BenchmarkSequence, GivenMask
from mavos_jax.datasets.files import FileSet
from mavos_jax.datasets.listing import (
    FRAMES,
    MASKS,
    describe_folder,
    find_pair,
    name_some,
    pair_sequence,
    require_annotations,
    split_names,
    subfolders,
)
from mavos_jax.datasets.mask_ids import first_masks, ids_by_frame
from mavos_jax.datasets.names import read_list
from mavos_jax.datasets.sequences import (
    Layout,
    SequenceFolders,
    build_sequence,
    list_frames,
    list_start_masks,
)
from mavos_jax.media.folders import nested_folders

_ONLY = "frames"
"""The name of a sequence whose frames lie in ``JPEGImages`` itself."""


def find_folder(options: BenchmarkOptions) -> Layout:
    """Names every folder of images, below ``<root>/<split>`` if that has any, else below the root.

    They lie at most two levels below ``JPEGImages``. Frames in ``JPEGImages`` itself are the
    sequence ``frames``.

    The first mask is given, and every later one with new ids. All masks are truth if every object
    is in more than one of them.

    Raises:
      ValueError: folders are missing.
    """
    folder = options.root / find_pair(options.root, (*split_names(options.split), "."))
    return Layout(
        origin=folder / FRAMES,
        sequences=_name_folders(folder),
        open_sequence=_open_sequence,
        is_labelled=False,
        is_exhaustive=True,
        is_gapless=False,
        may_start_empty=True,
    )


def _name_folders(folder: Path) -> tuple[SequenceFolders, ...]:
    """Takes every folder with pictures, at most two levels below ``JPEGImages``, for a sequence."""
    names = nested_folders(folder / FRAMES)
    if not names:
        raise ValueError(
            f"{folder / FRAMES}: expected a folder of frames for every sequence, found "
            f"{describe_folder(folder / FRAMES)}"
        )
    return tuple(
        SequenceFolders(
            _ONLY if name == "." else name,
            folder / FRAMES / name,
            folder / MASKS / name,
            folder / MASKS / name,
        )
        for name in names
    )


def name_subfolders(folder: Path) -> tuple[SequenceFolders, ...]:
    """Takes every folder in ``folder/JPEGImages`` for a sequence.

    Raises:
      ValueError: there is none.
    """
    names = subfolders(folder / FRAMES)
    if not names:
        raise ValueError(
            f"{folder / FRAMES}: expected a folder of frames for every sequence, found "
            f"{describe_folder(folder / FRAMES)}"
        )
    return tuple(
        SequenceFolders(name, folder / FRAMES / name, folder / MASKS / name, folder / MASKS / name)
        for name in names
    )


def _open_sequence(sequence: SequenceFolders) -> BenchmarkSequence:
    images = list_frames(sequence)
    masks = list_start_masks(sequence, images)
    if len(masks) == 1:
        given = {name: GivenMask(path) for name, path in masks.items()}
        return build_sequence(sequence, images, given, {})
    ids = ids_by_frame(masks)
    counts = Counter(number for numbers in ids.values() for number in numbers)
    truth = masks if min(counts.values(), default=0) > 1 else {}
    return build_sequence(sequence, images, first_masks(masks, ids), truth)


_LIST_FOLDERS = ("ImageSets", ".")
_SPLITS = ("train", "val", "valid", "trainval", "test", "test-dev")


def open_folder(config: SourceConfig) -> FileSet:
    """Lists every folder of images, at most two levels below ``JPEGImages``; masked frames count.

    The split is the folder ``<root>/<split>`` if that has a ``JPEGImages``; else the sequences that
    ``<root>/<split>.txt`` or ``<root>/ImageSets/<split>.txt`` names; else, where there are no
    lists, everything.

    Raises:
      ValueError: folders are missing, the list is or names what is not there, or a sequence has
        fewer than two masks.
    """
    root = Path(config.root)
    folder = find_pair(root, (*split_names(config.split), "."))
    found = nested_folders(root / folder / FRAMES)
    if folder == "." and _has_lists(root, config.split):
        named = read_list(root, [f"{lists}/{config.split}.txt" for lists in _LIST_FOLDERS])
        found = _choose(root / folder / FRAMES, found, named)
    if not found:
        raise ValueError(
            f"{root / folder / FRAMES}: expected folders of frames (.jpg or .png), found "
            f"{describe_folder(root / folder / FRAMES)}"
        )
    sequences = tuple(
        pair_sequence(
            *(root, name),
            *(str(Path(folder, kind, name)) for kind in (FRAMES, MASKS)),
            annotated_only=True,
        )
        for name in found
    )
    require_annotations(root, sequences)
    return FileSet(
        name=f"folder {root.absolute().name}",
        root=str(root.absolute()),
        sequences=sequences,
        form="ids",
        max_gap=config.max_gap,
    )


def _has_lists(root: Path, split: str) -> bool:
    """Whether there is a list of any split; other texts beside the data are no lists."""
    return any(
        (root / folder / f"{name}.txt").is_file()
        for folder in _LIST_FOLDERS
        for name in (split, *_SPLITS)
    )


def _choose(path: Path, found: tuple[str, ...], named: tuple[str, ...]) -> tuple[str, ...]:
    """Picks the sequences that a list names, by relative or by last name."""
    chosen = tuple(name for name in found if name in named or Path(name).name in named)
    known = {*chosen, *(Path(name).name for name in chosen)}
    missing = [name for name in named if name not in known]
    if missing:
        raise ValueError(
            f"{path}: expected folders of frames for all listed sequences, found none for "
            f"{len(missing)}: {name_some(missing)}"
        )
    return chosen
