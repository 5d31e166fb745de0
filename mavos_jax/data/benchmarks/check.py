"""Validates the tree of a data set: every missing or odd file, rather than the first."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from PIL import Image

from mavos_jax.data.benchmarks.benchmark import BenchmarkOptions
from mavos_jax.data.benchmarks.layout import Layout, SequenceFolders, list_frames
from mavos_jax.data.benchmarks.mask_faults import MaskContext, find_mask_faults
from mavos_jax.data.benchmarks.opening import find_layout
from mavos_jax.data.frames import DECODING_ERRORS, describe_size
from mavos_jax.data.sets.listing import images_by_stem, subfolders

Size = tuple[int, int]

_MASK_SUFFIX = ".png"
_DEEP_MODES = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")


def check_benchmark(
    options: BenchmarkOptions, progress: Callable[[int, int], None] | None = None
) -> list[str]:
    """Looks for missing and odd files: reads the pixels of masks, and the headers of frames.

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
    lines = [] if options.sequences or not layout.is_exhaustive else _extra_folders(layout)
    total = len(layout.sequences)
    report = progress or (lambda done, total: None)
    report(0, total)
    for done, sequence in enumerate(layout.sequences, start=1):
        lines += _check_sequence(layout, sequence)
        report(done, total)
    # Opening may fail for a reason that has its line already.
    return list(dict.fromkeys(lines))


def _extra_folders(layout: Layout) -> list[str]:
    """Says which folders of frames or masks belong to no sequence."""
    known = {sequence.name for sequence in layout.sequences}
    places = dict.fromkeys(p.parent for s in layout.sequences for p in (s.frames, s.masks))
    return [
        f"{place / name}: expected a sequence of {layout.origin}, found none of that name there; "
        "remove the folder, or take the list that belongs to the files"
        for place in places
        if place.is_dir()
        for name in subfolders(place)
        if name not in known
    ]


def _check_sequence(layout: Layout, sequence: SequenceFolders) -> list[str]:
    try:
        images = list_frames(sequence)
    except ValueError as error:
        return [str(error)]
    sizes, lines = _check_headers(images.values())
    size = _usual_size(sizes)
    lines += [
        f"{path}: expected {describe_size(size)} as most frames of {sequence.name}, found "
        f"{describe_size(found)}; all frames must have one size"
        for path, found in sizes.items()
        if size is not None and found != size
    ]
    lines += _missing_frames(layout, sequence, images)
    for folder in dict.fromkeys((sequence.masks, sequence.truth)):
        lines += _check_masks(layout, sequence, folder, images, sizes)
    try:
        layout.open_sequence(sequence)
    except (ValueError, OSError) as error:
        lines.append(str(error))
    return lines


def _check_headers(paths: Iterable[Path]) -> tuple[dict[Path, Size], list[str]]:
    """Reads height and width of images, and says which have none or are too deep."""
    sizes, lines = {}, []
    for path in paths:
        try:
            with Image.open(path) as image:
                sizes[path], mode = (image.height, image.width), image.mode
        except DECODING_ERRORS as error:
            is_unknown = isinstance(error, Image.UnidentifiedImageError)
            found = "no known image format" if is_unknown else str(error) or type(error).__name__
            lines.append(f"{path}: expected an image, found: {found}; restore the file")
            continue
        if mode in _DEEP_MODES:
            lines.append(
                f"{path}: expected 8 bits a channel, found mode {mode}; convert the frames to "
                "8 bits"
            )
    return sizes, lines


def _usual_size(sizes: Mapping[Path, Size]) -> Size | None:
    """The most frequent size, the first of several; None without any."""
    return max(Counter(sizes.values()).items(), key=lambda item: item[1])[0] if sizes else None


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
    told = {*sequence.listed, *(path.stem for path in sequence.masks.glob(f"*{_MASK_SUFFIX}"))}
    gaps = _gaps(list(images)) if layout.is_gapless else []
    return lines + [
        f"{sequence.frames / name}.jpg: expected a frame between its neighbours, found no such "
        "file; restore it"
        for name in gaps
        if name not in told
    ]


def _gaps(names: list[str]) -> list[str]:
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
        if path.suffix.lower() != _MASK_SUFFIX:
            lines.append(
                f"{path}: expected an indexed PNG, found a file of another kind; save object ids "
                "as PNG"
            )
            continue
        if stem not in images:
            lines.append(
                f"{path}: expected the name of a frame in {sequence.frames}, found no such frame; "
                "restore the frame or remove the mask"
            )
        frame_size = sizes.get(images[stem]) if stem in images else None
        is_shrunk = folder != sequence.masks and layout.output_height is not None
        if frame_size is not None and is_shrunk:
            frame_size = _shrunk(frame_size, layout.output_height)
        is_start = folder == sequence.masks and stem in starts
        context = MaskContext(
            frame_size, is_start, layout.is_binary, sequence.objects, layout.origin
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
