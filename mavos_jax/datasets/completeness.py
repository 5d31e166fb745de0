"""Frames and labels that must be there although no layout names them one by one."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from mavos_jax.datasets.dataset import BenchmarkSequence
from mavos_jax.datasets.listing import name_some
from mavos_jax.datasets.sequences import (
    Layout,
    SequenceFolders,
    describe_stray,
    list_frames,
    list_masks,
)


def open_complete(layout: Layout, sequence: SequenceFolders) -> BenchmarkSequence:
    """Lists the files of a sequence of which no frame is missing, as far as the others tell.

    Raises:
      ValueError: files are missing, a mask belongs to no frame, or a number is left out of frames
        that are counted throughout.
    """
    opened = layout.open_sequence(sequence)
    images = list_frames(sequence)
    faults = stray_masks(sequence, images) + frame_gaps(layout, sequence, images)
    if faults:
        raise ValueError(faults[0])
    return opened


def stray_masks(sequence: SequenceFolders, images: Mapping[str, Path]) -> list[str]:
    """Says which masks of a sequence belong to none of its frames, given by their names."""
    return [
        describe_stray(sequence, path)
        for folder in dict.fromkeys((sequence.masks, sequence.truth))
        for name, path in list_masks(folder).items()
        if name not in images
    ]


def frame_gaps(layout: Layout, sequence: SequenceFolders, images: Mapping[str, Path]) -> list[str]:
    """Says which frames are left out by the numbers of the others, but for listed or masked ones.

    Those have lines of their own.
    """
    if not layout.is_gapless:
        return []
    told = {*sequence.listed, *list_masks(sequence.masks)}
    return [
        f"{sequence.frames / name}.jpg: expected a frame between its neighbours, found no such "
        "file; restore it"
        for name in _left_out(list(images))
        if name not in told
    ]


def describe_unlabelled(layout: Layout, sequences: Sequence[BenchmarkSequence]) -> str | None:
    """Says which sequences cannot be scored although the others can, or all should.

    Args:
      layout: the data set.
      sequences: those that could be opened.

    Returns:
      A line; None if all have truth, or none has where labels need not be public.
    """
    names = [sequence.name for sequence in sequences if not sequence.has_truth]
    if not names or (len(names) == len(sequences) and not layout.is_labelled):
        return None
    return (
        f"{layout.origin}: expected true masks beyond the given ones of all {len(sequences)} "
        f"sequences{'' if layout.is_labelled else ' or of none'}, found none of {len(names)}: "
        f"{name_some(names)}; restore them, or take the other sequences alone"
    )


def _left_out(names: list[str]) -> list[str]:
    """Names the numbers that are left out of names that mostly rise by one step."""
    if len(names) < 3 or not all(name.isascii() and name.isdigit() for name in names):
        return []
    numbers = [int(name) for name in names]
    steps = [after - before for before, after in itertools.pairwise(numbers)]
    step = Counter(steps).most_common(1)[0][0]
    if step < 1:
        return []
    return [
        f"{number:0{len(names[0])}d}"
        for before, after in itertools.pairwise(numbers)
        for number in range(before + step, after, step)
    ]
