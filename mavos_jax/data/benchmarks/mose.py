"""MOSE v1 and v2: ``<split>/{JPEGImages,Annotations}/<video>``, every frame labelled in train."""

from __future__ import annotations

from mavos_jax.data.benchmarks.any_folder import name_subfolders
from mavos_jax.data.benchmarks.benchmark import BenchmarkOptions, BenchmarkSequence
from mavos_jax.data.benchmarks.layout import (
    Layout,
    SequenceFolders,
    build_sequence,
    list_frames,
    list_start_masks,
    require_all_or_first,
)
from mavos_jax.data.benchmarks.mask_ids import starting_masks
from mavos_jax.data.sets.listing import FRAMES, find_pair, split_names


def find_mose(options: BenchmarkOptions) -> Layout:
    """Names the videos of a split.

    The first mask is given, and every later one with new ids; where there are several, all of them
    are read for that.

    Raises:
      ValueError: folders are missing.
    """
    root, names = options.root, split_names(options.split)
    own = ["."] if root.absolute().name in names else []
    folder = root / find_pair(root, (*names, *own))
    return Layout(
        origin=folder / FRAMES,
        sequences=name_subfolders(folder),
        open_sequence=_open_sequence,
        is_labelled=options.split == "train",
        is_exhaustive=True,
        is_gapless=True,
    )


def _open_sequence(sequence: SequenceFolders) -> BenchmarkSequence:
    images = list_frames(sequence)
    masks = list_start_masks(sequence, images)
    given = starting_masks(masks)
    names = list(images)
    start = min(names.index(name) for name in given)
    require_all_or_first(sequence.truth, masks, names[start:], given)
    return build_sequence(sequence, images, given, masks)
