"""LVOS v1 and v2: ``<split>/{JPEGImages,Annotations}/<video>`` and ``<split>_meta.json``."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mavos_jax.data.benchmarks.benchmark import BenchmarkOptions, BenchmarkSequence
from mavos_jax.data.benchmarks.layout import (
    Layout,
    SequenceFolders,
    build_sequence,
    list_frames,
    list_masks,
    list_start_masks,
    listed_masks,
    require_all_or_first,
    require_frames,
)
from mavos_jax.data.benchmarks.mask_ids import starting_masks
from mavos_jax.data.sets.listing import (
    FRAMES,
    MASKS,
    describe_folder,
    require_root,
    split_names,
    subfolders,
)
from mavos_jax.data.sets.metadata import (
    ListedObject,
    VideoObjects,
    read_metadata,
    whole_number,
)

_FIRST_MASKS = ("Annotations_convert", "Annotations_first_only")
_STEP = 5
_DIGITS = 8
_UNLABELLED = "test"
_MAX_MISSING = 1000
"""Frames of a range beyond those that a folder holds, which are missed one by one."""


def find_lvos(options: BenchmarkOptions) -> Layout:
    """Names the videos of ``<split>_meta.json``, or of the folder where test has no such file.

    An object's mask is given at the first frame of its range, and its span is every fifth number
    from there on, the end excluded. Where masks are first masks alone, because the split is test or
    only a converted folder of them is there, every mask that brings new ids is given.

    Raises:
      ValueError: folders are missing, or the metadata are missing or damaged.
    """
    root, names = options.root, split_names(options.split)
    folder = _find_split(root, names)
    masks = next(folder / kind for kind in (MASKS, *_FIRST_MASKS) if (folder / kind).is_dir())
    has_first_masks = options.split == _UNLABELLED or masks.name != MASKS
    meta = _find_metadata(root, folder, names)
    if options.split == _UNLABELLED and not meta.is_file():
        meta = folder / FRAMES
        videos: VideoObjects = {name: {} for name in subfolders(meta)}
    else:
        parse = functools.partial(
            _parse, frames=folder / FRAMES, is_endless=options.split == _UNLABELLED
        )
        videos = read_metadata(meta, parse, expected="frame_range.{start,end}")
    return Layout(
        origin=meta,
        sequences=tuple(
            SequenceFolders(name, folder / FRAMES / name, masks / name, masks / name, objects)
            for name, objects in videos.items()
        ),
        open_sequence=functools.partial(_open_sequence, meta=meta, has_first_masks=has_first_masks),
        is_labelled=not has_first_masks,
        is_exhaustive=True,
        is_gapless=True,
        oddities=_contradictions(meta, videos),
    )


def _open_sequence(
    sequence: SequenceFolders, *, meta: Path, has_first_masks: bool
) -> BenchmarkSequence:
    images = list_frames(sequence)
    require_frames(sequence, images, sequence.listed, meta)
    if has_first_masks:
        given = starting_masks(list_start_masks(sequence, images))
        names = list(images)
        start = min(names.index(name) for name in given)
        return build_sequence(_without_earlier(sequence, names[start:]), images, given, {})
    masks = list_masks(sequence.masks)
    given = listed_masks(sequence, masks, meta)
    require_all_or_first(sequence.truth, masks, sequence.listed, given)
    return build_sequence(sequence, images, given, masks)


def _without_earlier(sequence: SequenceFolders, names: list[str]) -> SequenceFolders:
    """Leaves out frames before the first mask, which converted masks may start after."""
    kept = set(names)
    objects: Mapping[int, ListedObject] = {
        number: listed._replace(frames=tuple(name for name in listed.frames if name in kept))
        for number, listed in sequence.objects.items()
    }
    return sequence._replace(objects=objects)


def _find_split(root: Path, names: tuple[str, ...]) -> Path:
    require_root(root)
    own = ["."] if root.absolute().name.removesuffix("_480p") in names else []
    candidates = [*names, *(f"{name}_480p" for name in names), *own]
    for candidate in candidates:
        folder = root / candidate
        has_masks = any((folder / kind).is_dir() for kind in (MASKS, *_FIRST_MASKS))
        if (folder / FRAMES).is_dir() and has_masks:
            return folder
    wanted = " or ".join(f"{name}/{{{FRAMES},{MASKS}}}" for name in names)
    raise ValueError(f"{root}: expected {wanted} under it, found {describe_folder(root)}")


def _find_metadata(root: Path, folder: Path, names: tuple[str, ...]) -> Path:
    """Finds the metadata beside the folder of the split or in it; where they should be if not."""
    places = dict.fromkeys((root, folder.absolute().parent, folder))
    candidates = [place / f"{name}_meta.json" for place in places for name in names]
    candidates.append(folder / "meta.json")
    return next((path for path in candidates if path.is_file()), candidates[0])


def _parse(video: str, value: Any, *, frames: Path, is_endless: bool) -> ListedObject:
    """Reads the range of an object; that of a split without labels may lack its end."""
    numbers = value["frame_range"]
    start = whole_number(numbers["start"])
    end = start + 1 if is_endless and "end" not in numbers else whole_number(numbers["end"])
    listed = range(start, end, _STEP)
    # Before names are made of it, for a damaged range may have millions.
    num_frames = len(os.listdir(frames / video)) if (frames / video).is_dir() else 0
    if len(listed) > num_frames + _MAX_MISSING:
        raise ValueError(
            f"a range from {start} to {end}, of {len(listed)} frames, in {video}, of which "
            f"{frames / video} holds {num_frames}"
        )
    declared = None if is_endless or "frame_nums" not in numbers else numbers["frame_nums"]
    return ListedObject(
        frames=tuple(f"{number:0{_DIGITS}d}" for number in listed),
        declared=None if declared is None else whole_number(declared),
    )


def _contradictions(meta: Path, videos: VideoObjects) -> tuple[str, ...]:
    """Says which objects have other numbers of frames than their ranges, the end counted or not."""
    return tuple(
        f"{meta}: expected frame_nums of {len(listed.frames)}, or {len(listed.frames) + 1} with "
        f"the end, for object {number} of {name}, by its start and end, found {listed.declared}; "
        "restore the file"
        for name, objects in videos.items()
        for number, listed in objects.items()
        if listed.declared is not None and listed.declared - len(listed.frames) not in (0, 1)
    )
