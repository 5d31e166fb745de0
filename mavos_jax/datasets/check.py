"""Validates the tree of a data set: every missing or odd file, not only the first."""

import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mavos_jax.datasets.dataset import BenchmarkOptions
from mavos_jax.datasets.listing import FRAMES, MASKS
from mavos_jax.datasets.opening import find_layout, unlabelled_faults
from mavos_jax.datasets.pairing import build_sequence, find_faults, find_files, find_images
from mavos_jax.datasets.sequences import Layout, ListedObject, SequenceFiles, SequenceFolders
from mavos_jax.datasets.table import DATA_SETS
from mavos_jax.media.folders import (
    MASK_SUFFIXES,
    describe_kind,
    images_by_stem,
    subfolders,
    unread_names,
)
from mavos_jax.media.ids import explain_drawing, explain_emptiness, explain_fullness, object_ids
from mavos_jax.media.masks import read_values
from mavos_jax.media.pictures import Size, describe_size, explain_size, read_header, read_image


class MaskContext(NamedTuple):
    """What a mask must agree with; ``objects`` are those that the metadata ``origin`` list."""

    size: Size | None
    is_start: bool
    needs_objects: bool
    is_binary: bool
    objects: Mapping[int, ListedObject]
    origin: Path


def check_benchmark(
    options: BenchmarkOptions, progress: Callable[[int, int], None] = lambda done, total: None
) -> list[str]:
    """Lists everything missing or odd; ``progress`` gets the counts done and in all."""
    try:
        layout = find_layout(options)
    except (ValueError, OSError) as error:
        return [str(error)]
    lines = list(layout.oddities)
    if layout.is_exhaustive and not options.sequences:
        lines += _extra_folders(layout)
    is_binary = DATA_SETS[options.dataset].masks == "binary"
    opened: list[SequenceFiles] = []
    progress(0, len(layout.sequences))
    for done, folders in enumerate(layout.sequences, start=1):
        lines += _check_sequence(layout, folders, is_binary, opened)
        progress(done, len(layout.sequences))
    lines += unlabelled_faults(layout, opened)
    return list(dict.fromkeys(lines))  # what prevents opening may have a line already


def _extra_folders(layout: Layout) -> list[str]:
    folders = [path for s in layout.sequences for path in (s.frames, s.masks)]
    known = {path for folder in folders for path in (folder, *folder.parents)}
    places = dict.fromkeys(path.parent for path in folders if path.name not in (FRAMES, MASKS))
    return [
        f"{place / name}: expected a sequence of {layout.origin}, found none of that name there; "
        "remove the folder, or take the list that belongs to the files"
        for place in places
        if place.is_dir()
        for name in subfolders(place)
        if place / name not in known
    ]


def _check_sequence(
    layout: Layout, folders: SequenceFolders, is_binary: bool, opened: list[SequenceFiles]
) -> Iterator[str]:
    """Yields the faults of a sequence; adds it to ``opened`` if it can be opened."""
    try:
        images = find_images(folders)
    except (ValueError, OSError) as error:
        yield str(error)
        return
    sizes, lines = _check_frames(folders.name, images.values())
    yield from lines
    for name in unread_names(folders.frames):
        yield (
            f"{folders.frames / name}: expected only frames, found a file that is no picture, "
            "which is not read; remove it, or convert it"
        )
    for name in folders.listed:
        if name not in images:
            yield (
                f"{folders.frames / name}.jpg: expected the frame that {layout.origin} lists, "
                "found no such file; restore it, or the list that belongs to the frames"
            )
    for folder in dict.fromkeys(filter(None, (folders.masks, folders.truth))):
        yield from _check_masks(layout, folders, folder, images, sizes, is_binary)
    try:
        found = find_files(folders)
        faults = list(find_faults(layout, folders, found))
        yield from faults
        if not faults:
            opened.append(build_sequence(layout, folders, found))
    except (ValueError, OSError) as error:
        yield str(error)


def _check_frames(name: str, paths: Iterable[Path]) -> tuple[dict[Path, Size], list[str]]:
    """Decodes the frames of a sequence; returns the sizes in their headers, and all faults."""
    paths = list(paths)
    # Pillow lets other threads run while it decodes.
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        headers = dict(zip(paths, pool.map(_read_size, paths), strict=True))
        sizes = {path: found for path, found in headers.items() if not isinstance(found, str)}
        usual = Counter(sizes.values()).most_common(1)[0][0] if sizes else None
        # A damaged header may declare any number of pixels.
        fitting = [path for path, size in sizes.items() if size == usual]
        damage = dict(zip(fitting, pool.map(_find_damage, fitting), strict=True))
    faults = {path: found for path, found in headers.items() if isinstance(found, str)} | damage
    lines = [fault for path in paths if (fault := faults.get(path))]
    lines += [
        f"{path}: expected {describe_size(usual)} as most frames of {name}, found "
        f"{describe_size(found)}; all frames must have one size"
        for path, found in sizes.items()
        if usual is not None and found != usual
    ]
    return sizes, lines


def _read_size(path: Path) -> Size | str:
    try:
        return read_header(path).size
    except ValueError as error:
        return str(error)


def _find_damage(path: Path) -> str | None:
    try:
        read_image(path)
    except ValueError as error:
        return str(error)
    return None


def _check_masks(
    layout: Layout,
    folders: SequenceFolders,
    folder: Path,
    images: Mapping[str, Path],
    sizes: Mapping[Path, Size],
    is_binary: bool,
) -> Iterator[str]:
    try:
        files = images_by_stem(folder)
    except (ValueError, OSError) as error:
        yield str(error)
        return
    firsts = {listed.frames[0] for listed in folders.objects.values() if listed.frames}
    wanted = [*firsts]
    if layout.is_labelled and folder == folders.truth:
        wanted += folders.listed or images
    for name in dict.fromkeys(wanted):
        if name not in files:
            yield (
                f"{folder / name}.png: expected the mask of a frame, found no such file; restore it"
            )
    starts = firsts or {*list(files)[:1]}
    for stem, name in files.items():
        path = folder / name
        if path.suffix.lower() not in MASK_SUFFIXES:
            yield describe_kind(path, MASK_SUFFIXES)
            continue
        size = sizes.get(images[stem]) if stem in images else None
        if size is not None and folder != folders.masks and layout.output_height is not None:
            size = layout.output_height, math.ceil(size[1] * layout.output_height / size[0])
        is_start = folder == folders.masks and stem in starts
        needs_objects = is_start and not (layout.is_loose or layout.starts == "first object")
        context = MaskContext(
            size, is_start, needs_objects, is_binary, folders.objects, layout.origin
        )
        yield from find_mask_faults(path, context)


def find_mask_faults(path: Path, context: MaskContext) -> Iterator[str]:
    """Reads a mask and yields a line for every fault of its format, size and ids."""
    try:
        values, palette = read_values(path)
    except ValueError as error:
        yield str(error)
        return
    size = values.shape[0], values.shape[1]
    if context.size is not None and size != context.size:
        yield (
            f"{path}: expected a mask of {describe_size(context.size)} as its frame, found "
            f"{describe_size(size)}; {explain_size(size, context.size)}"
        )
    fault = explain_drawing(values, palette)
    if fault is None and context.is_binary and context.needs_objects:
        fault = explain_emptiness((values > 0).astype(np.uint8))
    if fault is None and not context.is_binary:
        # Later masks may be empty.
        fault = explain_emptiness(values) if context.needs_objects or values.any() else None
        if fault is None and context.is_start:
            fault = explain_fullness(values)
    if fault is not None:
        yield f"{path}: {fault}"
    elif context.objects and not context.is_binary:
        yield from _id_faults(path, object_ids(values), context)


def _id_faults(path: Path, ids: tuple[int, ...], context: MaskContext) -> Iterator[str]:
    if unknown := set(ids).difference(context.objects):
        yield (
            f"{path}: expected ids that {context.origin} lists ({_join(context.objects)}), found "
            f"{_join(unknown)}; take the list that belongs to the masks"
        )
    starting = {i for i, listed in context.objects.items() if path.stem in listed.frames[:1]}
    if missing := starting.difference(ids):
        yield (
            f"{path}: expected object {_join(missing)}, which {context.origin} starts there, found "
            f"{_join(ids)}; take the list that belongs to the masks"
        )


def _join(ids: Iterable[int]) -> str:
    return ", ".join(str(number) for number in sorted(ids)) or "none"
