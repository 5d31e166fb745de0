"""Validates the tree of a data set: every missing or odd file, rather than the first."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from mavos_jax.datasets.completeness import describe_unlabelled, frame_gaps, open_complete
from mavos_jax.datasets.dataset import BenchmarkOptions
from mavos_jax.datasets.frame_faults import find_frame_faults
from mavos_jax.datasets.listing import KINDS, subfolders
from mavos_jax.datasets.mask_faults import MaskContext, find_mask_faults
from mavos_jax.datasets.opening import find_layout
from mavos_jax.datasets.sequences import Layout, SequenceFolders, describe_stray, list_frames
from mavos_jax.media.folders import MASK_SUFFIXES, describe_kind, images_by_stem, unread_names
from mavos_jax.media.pictures import Size

_MASK_SUFFIX = ".png"


def check_benchmark(
    options: BenchmarkOptions, progress: Callable[[int, int], None] | None = None
) -> list[str]:
    """Looks for missing and odd files: reads the pixels of all masks and frames.

    Args:
      options: the data set. Where its folders, list or metadata cannot be used at all, that is the
        only line.
      progress: is told the sequences done and their number, once before the first and after each.

    Returns:
      A line for each fault, in the order of the sequences; among them the errors that opening the
      data set would raise. Empty if all is well.
    """
    try:
        layout = find_layout(options)
    except (ValueError, OSError) as error:
        return [str(error)]
    lines = list(layout.oddities)
    if layout.is_exhaustive and not options.sequences:
        lines += _extra_folders(layout)
    opened = []
    total = len(layout.sequences)
    report = progress or (lambda done, total: None)
    report(0, total)
    for done, sequence in enumerate(layout.sequences, start=1):
        lines += _check_sequence(layout, sequence)
        try:
            opened.append(open_complete(layout, sequence))
        except (ValueError, OSError) as error:
            lines.append(str(error))
        report(done, total)
    lines += filter(None, [describe_unlabelled(layout, opened)])
    # Opening may fail for a reason that has its line already.
    return list(dict.fromkeys(lines))


def _extra_folders(layout: Layout) -> list[str]:
    """Says which folders of frames or masks belong to no sequence."""
    folders = [path for s in layout.sequences for path in (s.frames, s.masks)]
    known = {path for folder in folders for path in (folder, *folder.parents)}
    places = dict.fromkeys(path.parent for path in folders if path.name not in KINDS)
    return [
        f"{place / name}: expected a sequence of {layout.origin}, found none of that name there; "
        "remove the folder, or take the list that belongs to the files"
        for place in places
        if place.is_dir()
        for name in subfolders(place)
        if place / name not in known
    ]


def _check_sequence(layout: Layout, sequence: SequenceFolders) -> list[str]:
    try:
        images = list_frames(sequence)
    except ValueError as error:
        return [str(error)]
    sizes, lines = find_frame_faults(sequence.name, images.values())
    lines += [
        f"{sequence.frames / name}: expected frames alone, found a file that is no picture, which "
        "is not read; remove it, or convert it"
        for name in unread_names(sequence.frames)
    ]
    try:
        lines += _missing_frames(layout, sequence, images)
    except ValueError as error:
        lines.append(str(error))
    for folder in dict.fromkeys((sequence.masks, sequence.truth)):
        lines += _check_masks(layout, sequence, folder, images, sizes)
    return lines


def _missing_frames(
    layout: Layout, sequence: SequenceFolders, images: Mapping[str, Path]
) -> list[str]:
    """Says which frames are listed, or left out by the numbers of the others, and not there."""
    lines = [
        f"{sequence.frames / name}.jpg: expected the frame that {layout.origin} lists, found no "
        "such file; restore it, or the list that belongs to the frames"
        for name in sequence.listed
        if name not in images
    ]
    return lines + frame_gaps(layout, sequence, images)


def _check_masks(
    layout: Layout,
    sequence: SequenceFolders,
    folder: Path,
    images: Mapping[str, Path],
    sizes: Mapping[Path, Size],
) -> list[str]:
    """Says what is wrong with the masks of one folder."""
    try:
        files = images_by_stem(folder)
    except ValueError as error:
        return [str(error)]
    lines = [
        f"{folder / name}{_MASK_SUFFIX}: expected the mask of a frame, found no such file; "
        "restore it"
        for name in _wanted_masks(layout, sequence, folder, images)
        if name not in files
    ]
    starts = {listed.frames[0] for listed in sequence.objects.values()} or {*list(files)[:1]}
    for stem, name in files.items():
        path = folder / name
        if path.suffix.lower() not in MASK_SUFFIXES:
            lines.append(describe_kind(path, MASK_SUFFIXES))
            continue
        if stem not in images:
            lines.append(describe_stray(sequence, path))
        frame_size = sizes.get(images[stem]) if stem in images else None
        is_shrunk = folder != sequence.masks and layout.output_height is not None
        if frame_size is not None and is_shrunk:
            frame_size = _shrunk(frame_size, layout.output_height)
        is_start = folder == sequence.masks and stem in starts
        context = MaskContext(
            frame_size,
            is_start,
            is_start and not layout.may_start_empty,
            layout.is_binary,
            sequence.objects,
            layout.origin,
        )
        lines += find_mask_faults(path, context)
    return lines


def _wanted_masks(
    layout: Layout, sequence: SequenceFolders, folder: Path, images: Mapping[str, Path]
) -> Iterable[str]:
    """Names the masks that lists and public labels say are in a folder."""
    wanted = [listed.frames[0] for listed in sequence.objects.values()]
    if layout.is_labelled and folder == sequence.truth:
        wanted += sequence.listed or images
    return dict.fromkeys(wanted)


def _shrunk(size: Size, height: int | None) -> Size:
    """The size of frames brought to a height, their width rounded up."""
    return size if height is None else (height, math.ceil(size[1] * height / size[0]))
