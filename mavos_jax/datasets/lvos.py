"""LVOS v1 and v2: ``<split>/{JPEGImages,Annotations}/<video>`` and ``<split>_meta.json``."""

import dataclasses
import functools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from mavos_jax.datasets import listing, protocol
from mavos_jax.datasets.dataset import BenchmarkOptions, DataSet, Published
from mavos_jax.datasets.sequences import Layout, ListedObject, SequenceFiles, sequences_below
from mavos_jax.media.folders import subfolders
from mavos_jax.scores.metrics import ObjectResult

_FIRST_MASKS = ("Annotations_convert", "Annotations_first_only")
_STEP = 5
_DIGITS = 8
_UNLABELLED = "test"
_MAX_MISSING = 1000  # frames of a range beyond those in the folder that are reported one by one
_DECIMALS = 4  # kept of the variance, before its root


def find_lvos(options: BenchmarkOptions) -> Layout:
    """Names the videos of ``<split>_meta.json``, or every folder of frames for training.

    An object's mask is given at the first frame of its range, and its span is every fifth number
    from there on, the end excluded. If there are only first masks, because the split is test or
    they have been converted, every mask with new ids is given.
    """
    root, names = options.root, options.split_names
    candidates = (*names, *(f"{n}_480p" for n in names), *listing.own_folder(root, names, "_480p"))
    kinds = (listing.MASKS, *_FIRST_MASKS)
    folder = listing.find_pair(root, candidates, kinds)
    frames = folder / listing.FRAMES
    masks = next(folder / kind for kind in kinds if (folder / kind).is_dir())
    is_test = options.split == _UNLABELLED
    has_first_masks = is_test or masks.name != listing.MASKS
    places = dict.fromkeys((root, folder.absolute().parent, folder))
    files = [place / f"{name}_meta.json" for place in places for name in names]
    files.append(folder / "meta.json")
    meta = next(filter(Path.is_file, files), files[0])
    if options.for_training or (is_test and not meta.is_file()):
        meta = frames
        names = listing.require_sequences(frames, subfolders(frames))
        videos: listing.VideoObjects = {name: {} for name in names}
    else:
        parse = functools.partial(_parse, frames=frames, is_endless=is_test)
        videos = listing.read_metadata(meta, parse, expected="frame_range.{start,end}")
    sequences = sequences_below(frames, masks, videos, videos)
    if has_first_masks:
        sequences = tuple(sequence._replace(truth=None) for sequence in sequences)
    return Layout(
        origin=meta,
        sequences=sequences,
        starts="new ids" if has_first_masks else "listed",
        # Frames before an object's first need no mask, and training leaves them out.
        is_labelled=not has_first_masks and not options.for_training,
        oddities=_contradictions(meta, videos),
    )


def _parse(video: str, value: Any, *, frames: Path, is_endless: bool) -> ListedObject:
    """Reads the range of an object; that of a split without labels may lack its end."""
    numbers = value["frame_range"]
    start = listing.whole_number(numbers["start"])
    end = start + 1 if is_endless and "end" not in numbers else listing.whole_number(numbers["end"])
    listed = range(start, end, _STEP)
    # Checked before names are made: a damaged range may have millions.
    num_frames = len(os.listdir(frames / video)) if (frames / video).is_dir() else 0
    if len(listed) > num_frames + _MAX_MISSING:
        raise ValueError(
            f"a range from {start} to {end}, of {len(listed)} frames, in {video}, of which "
            f"{frames / video} holds {num_frames}"
        )
    declared = None if is_endless or "frame_nums" not in numbers else numbers["frame_nums"]
    return ListedObject(
        frames=tuple(f"{number:0{_DIGITS}d}" for number in listed),
        declared=None if declared is None else listing.whole_number(declared),
    )


def _contradictions(meta: Path, videos: listing.VideoObjects) -> tuple[str, ...]:
    """Reports objects whose declared frames contradict their range, with or without its end."""
    return tuple(
        f"{meta}: expected frame_nums of {len(listed.frames)}, or {len(listed.frames) + 1} with "
        f"the end, for object {number} of {name}, by its start and end, found {listed.declared}; "
        "restore the file"
        for name, objects in videos.items()
        for number, listed in objects.items()
        if listed.declared is not None and listed.declared - len(listed.frames) not in (0, 1)
    )


def score_lvos(
    sequence: SequenceFiles, masks: protocol.SequenceMasks, options: protocol.ScoringOptions
) -> protocol.Rows:
    """Scores every object over its life span; where it is hidden and not predicted, it scores 1."""
    dropped = 1 if options.lvos == "2024-05" else 0  # frames, at each end
    declared = {
        number: max(len(span), sequence.declared_frames.get(number, 0))
        for number, span in sorted(sequence.spans.items())
    }
    counted = {i: sequence.spans[i][dropped : total - dropped] for i, total in declared.items()}
    is_unseen = None if options.unseen is None else sequence.name in options.unseen
    rows = []
    for row in protocol.score_objects(sequence.name, masks, counted, options, knows_others=True):
        # Frames that the metadata declare beyond the span count as zeros.
        zeros = (0.0,) * (declared[row.id] - 2 * dropped - len(row.region))
        region, boundary = row.region + zeros, row.boundary + zeros
        scores = protocol.sum_up(region, boundary, options)
        extra = {"V": stability(region, boundary)}
        rows.append(row._replace(scores=scores, is_unseen=is_unseen, extra=extra))
    return tuple(rows)


def stability(region: Sequence[float], boundary: Sequence[float]) -> float:
    """Computes how much the quality of an object's masks varies over time, in [0, 0.5].

    V = sqrt(mean_t (mean JF - JF_t)^2), the variance rounded to 4 decimals as by the official tool.
    """
    both = (np.asarray(region) + np.asarray(boundary)) / 2
    return float(np.sqrt(np.round(np.mean((both.mean() - both) ** 2), _DECIMALS)))


def summarise_lvos(objects: protocol.Objects, options: protocol.ScoringOptions) -> protocol.Summary:
    """Averages within seen and unseen videos, then over both; over all objects without a list.

    V without a suffix is the mean over all objects in either case.
    """
    quality, variation = {}, {"V": protocol.mean_of(objects, _stability)}
    for name, part in (protocol.split_by_seen(objects) or {"": objects}).items():
        suffix = f"_{name[0]}" if name else ""
        quality[f"J{suffix}"] = protocol.mean_of(part, protocol.region_mean)
        quality[f"F{suffix}"] = protocol.mean_of(part, protocol.boundary_mean)
        variation[f"V{suffix}"] = protocol.mean_of(part, _stability)
    rule = (
        "since 2024-05: first and last declared frame of each life span dropped"
        if options.lvos == "2024-05"
        else "before 2024-05: no frame dropped, declared ones beyond the life span score 0"
    )
    return (
        f"LVOS, official tool {rule}; {protocol.describe_parts(objects, 'videos')}",
        {"J&F": fmean(quality.values()), **quality, **variation},
    )


def _stability(row: ObjectResult) -> float:
    return row.extra["V"]


def _official_row(summary: Mapping[str, float]) -> dict[str, float]:
    row = {"J&F-Mean": summary["J&F"]}
    for letter in "JFV":
        names = {f"{letter}-{part}-Mean": f"{letter}_{part[0]}" for part in ("seen", "unseen")}
        parts = {column: summary[name] for column, name in names.items() if name in summary}
        # With seen and unseen videos the tool averages over both, not over all objects.
        row |= {f"{letter}-Mean": fmean(parts.values() or [summary[letter]]), **parts}
    return row


LVOS = DataSet(
    find_lvos,
    protocol=protocol.Protocol(
        *(score_lvos, summarise_lvos, _official_row), unseen_names=lambda sequence: (sequence.name,)
    ),
    nested=listing.MASKS,
    server="https://lingyihongfd.github.io/lvos.github.io",
)
_AT_480 = (
    "The paper scored LVOS v1 with frames shrunk to a shorter edge of 480 pixels, and averaged "
    "over seen and unseen videos (--unseen)."
)
LVOS1 = dataclasses.replace(
    LVOS,
    published=tuple(
        row._replace(condition=_AT_480)
        for row in (
            Published("MAVOS", "Table 2", 60.9, 54.6, 67.1, 38.2, 3.3),
            Published("R50-MAVOS", "Table 2", 63.3, 57.6, 69.0, 37.1),
            Published("SwinB-MAVOS", "Table 2", 64.8, 58.7, 70.9, 22.3),
            Published("DeAOT-L", "Table 2", 61.1, 55.2, 67.1, 5.0, 24.6),
            Published("AOT-L", "Table 2", 60.3, 54.6, 66.0, 2.1),
            Published("DeAOT-L-2F", "Table 5", 57.2, fps=39.1, memory=3.3),
            Published("DeAOT-L-6F", "Table 5", 59.6, fps=26.3, memory=3.7),
        )
    ),
)
LVOS_OF_ANY_VERSION = DataSet(find_lvos, trains_on="videos")
