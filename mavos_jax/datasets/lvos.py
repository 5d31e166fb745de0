"""LVOS v1 and v2: ``<split>/{JPEGImages,Annotations}/<video>`` and ``<split>_meta.json``."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from mavos_jax.config.data import SourceConfig
from mavos_jax.datasets.dataset import BenchmarkOptions, BenchmarkSequence
from mavos_jax.datasets.files import FileSet
from mavos_jax.datasets.listing import (
    FRAMES,
    MASKS,
    describe_folder,
    find_pair,
    pair_all,
    require_root,
    split_names,
    subfolders,
)
from mavos_jax.datasets.mask_ids import starting_masks
from mavos_jax.datasets.metadata import ListedObject, VideoObjects, read_metadata, whole_number
from mavos_jax.datasets.protocol import SequenceMasks, score_objects
from mavos_jax.datasets.rule import ScoringRule
from mavos_jax.datasets.seen import (
    boundary_mean,
    describe_parts,
    mean_of,
    region_mean,
    split_by_seen,
)
from mavos_jax.datasets.sequences import (
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
from mavos_jax.scores.metrics import ObjectScores, statistics
from mavos_jax.scores.scores import ObjectResult

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


def open_lvos(config: SourceConfig) -> FileSet:
    """Lists the videos of a split, whose folder is called ``val`` or ``valid`` alike.

    Frames without a mask are left out, those before the first labelled one among them.

    Raises:
      ValueError: folders are missing, or videos have fewer than two masks.
    """
    root = Path(config.root)
    folder = find_pair(root, split_names(config.split))
    return FileSet(
        name=f"{config.kind} {config.split}",
        root=str(root.absolute()),
        sequences=pair_all(root, folder, annotated_only=True),
        form="ids",
        max_gap=config.max_gap,
    )


_DECIMALS = 4  # of the variance, before its root


def score_lvos(
    sequence: BenchmarkSequence, masks: SequenceMasks, rule: ScoringRule
) -> tuple[ObjectResult, ...]:
    """Scores every object over its life span.

    A frame in which the object is hidden and nothing is predicted scores 1. Predicted ids that no
    object has are background.

    Args:
      sequence: which the masks belong to; ``spans`` are the objects, of which ``declared_frames``
        may count more; zeros for these enter the statistics.
      masks: of its frames.
      rule: ``lvos`` says whether the first and the last frame of a span count; by ``unseen`` the
        video is an unseen one or not; ``official_decay`` counts, too.
    """
    dropped = 2 if rule.lvos == "2024-05" else 0
    declared = {
        number: max(len(span), sequence.declared_frames.get(number, 0))
        for number, span in sorted(sequence.spans.items())
    }
    counted = {
        number: [
            frame
            for position, frame in enumerate(sequence.spans[number])
            if not dropped or position not in (0, total - 1)
        ]
        for number, total in declared.items()
    }
    rows = score_objects(
        sequence, masks, counted, official_decay=rule.official_decay, knows_others=True
    )
    is_unseen = None if rule.unseen is None else sequence.name in rule.unseen
    return tuple(
        _summed_up(row, declared[row.id] - dropped, rule)._replace(is_unseen=is_unseen)
        for row in rows
    )


def _summed_up(row: ObjectResult, total: int, rule: ScoringRule) -> ObjectResult:
    """Computes an object's statistics over its values and zeros up to a number of them."""
    zeros = (0.0,) * (total - len(row.region))
    region, boundary = row.region + zeros, row.boundary + zeros
    scores = ObjectScores(
        statistics(region, official_decay=rule.official_decay),
        statistics(boundary, official_decay=rule.official_decay),
    )
    return row._replace(scores=scores, stability=stability(region, boundary))


def stability(region: Sequence[float], boundary: Sequence[float]) -> float:
    """Computes how much the quality of an object's masks varies over time; less is better.

    V = sqrt(mean_t (mean JF - JF_t)^2), with JF_t the mean of J and F at t, and the variance
    rounded to 4 decimals as by the official tool.

    Args:
      region: J of T frames.
      boundary: F of the same.

    Returns:
      V, in [0, 0.5].
    """
    both = (np.asarray(region) + np.asarray(boundary)) / 2
    return float(np.sqrt(np.round(np.mean((both.mean() - both) ** 2), _DECIMALS)))


def summarise_lvos(
    objects: Sequence[ObjectResult], rule: ScoringRule
) -> tuple[str, dict[str, float]]:
    """Averages over objects within the seen and the unseen videos, and then over the two.

    J&F = (J_s + F_s + J_u + F_u) / 4; without a list of unseen videos, the mean of J and F over all
    objects. V is the mean over all objects.

    Args:
      objects: at least one.
      rule: by which they were scored.

    Returns:
      The rule in words, and the summary.
    """
    parts = split_by_seen(objects)
    quality, variation = {}, {"V": mean_of(objects, _stability)}
    for name, part in (parts or {"": objects}).items():
        suffix = f"_{name[0]}" if name else ""
        quality[f"J{suffix}"] = mean_of(part, region_mean)
        quality[f"F{suffix}"] = mean_of(part, boundary_mean)
        variation[f"V{suffix}"] = mean_of(part, _stability)
    is_new = rule.lvos == "2024-05"
    dropped = (
        "first and last declared frame of each life span dropped"
        if is_new
        else "no frame dropped, declared ones beyond the life span score 0"
    )
    when = "since 2024-05" if is_new else "before 2024-05"
    return (
        f"LVOS, official tool {when}: {dropped}; {describe_parts(objects, 'videos')}",
        {"J&F": fmean(quality.values()), **quality, **variation},
    )


def _stability(row: ObjectResult) -> float:
    assert row.stability is not None  # score_lvos gives every row one
    return row.stability
