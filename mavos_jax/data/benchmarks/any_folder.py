"""Any folder ``JPEGImages/<sequence>`` beside ``Annotations/<sequence>``, in a split or not."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from mavos_jax.data.benchmarks.benchmark import (
    BenchmarkOptions,
    BenchmarkSequence,
    GivenMask,
)
from mavos_jax.data.benchmarks.layout import (
    Layout,
    SequenceFolders,
    build_sequence,
    list_frames,
    list_start_masks,
)
from mavos_jax.data.benchmarks.mask_ids import first_masks, ids_by_frame
from mavos_jax.data.sets.listing import (
    FRAMES,
    MASKS,
    describe_folder,
    find_pair,
    split_names,
    subfolders,
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
