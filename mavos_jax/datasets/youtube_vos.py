"""YouTube-VOS 2018 and 2019: ``<split>/{JPEGImages,Annotations}/<video>`` and ``meta.json``."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from mavos_jax.datasets.dataset import BenchmarkOptions, DataSet, Protocol
from mavos_jax.datasets.listing import (
    FRAMES,
    MASKS,
    describe_folder,
    find_pair,
    own_folder,
    require_root,
    split_names,
)
from mavos_jax.datasets.metadata import VideoObjects, parse_frames, read_metadata
from mavos_jax.datasets.protocol import (
    ScoringRule,
    SequenceMasks,
    Summary,
    boundary_mean,
    describe_parts,
    mean_of,
    region_mean,
    score_objects,
    split_by_seen,
)
from mavos_jax.datasets.sequences import Layout, SequenceFiles, SequenceFolders
from mavos_jax.scores.scores import ObjectResult

_META = "meta.json"
_YEARS = ("2018", "2019")
_MIN_FRAMES = 2


def find_youtube_vos(options: BenchmarkOptions) -> Layout:
    """Names the videos of ``meta.json``.

    The root holds the split's folder, with or without a folder of the year between, or is that
    folder. An object's mask is given at its first listed frame. Frames are the listed ones, or with
    ``all_frames`` every image of ``<split>_all_frames`` between the first and the last of them; the
    masks of the listed ones make up a result.

    Training takes the listed frames. Objects with fewer than 2 of them become background, and
    videos without others are left out.
    """
    root, names = options.root, split_names(options.split)
    require_root(root)
    years = [f"{year}/{name}" for year in _find_years(options) for name in names]
    folder = find_pair(root, (*years, *names, *own_folder(root, names)))
    meta = folder / _META
    videos = read_metadata(
        meta,
        lambda _, value: parse_frames(meta, value),
        expected="frames",
        allow_empty=options.for_training,
    )
    num_videos = len(videos)
    if options.for_training:
        videos = _seen_twice(meta, videos)
    frames = (_find_all_frames(root, folder, names) if options.all_frames else folder) / FRAMES
    masks = folder / MASKS
    return Layout(
        origin=meta,
        sequences=tuple(
            SequenceFolders(name, frames / name, masks / name, masks / name, objects)
            for name, objects in videos.items()
        ),
        starts="listed",
        frames="between" if options.all_frames else "listed",
        is_labelled=options.split == "train",
        is_gapless=options.all_frames,
        num_left_out=num_videos - len(videos),
    )


def _find_years(options: BenchmarkOptions) -> list[str]:
    """The year of the data set's name; else the one year that is there."""
    if year := options.dataset.removeprefix("youtube_vos"):
        return [year]
    root = options.root
    years = [year for year in _YEARS if (root / year).is_dir()]
    if len(years) > 1:
        raise ValueError(
            f"{root}: expected one year of YouTube-VOS, found {' and '.join(years)}; give "
            f"{root / years[0]} or {root / years[-1]}"
        )
    return years


def _seen_twice(meta: Path, videos: VideoObjects) -> VideoObjects:
    """Keeps the objects with two listed frames or more, and the videos that have any."""
    kept = {
        name: {i: o for i, o in objects.items() if len(o.frames) >= _MIN_FRAMES}
        for name, objects in videos.items()
    }
    found = {name: objects for name, objects in kept.items() if objects}
    if not found:
        raise ValueError(
            f"{meta}: expected videos of {_MIN_FRAMES} frames or more, found none in {len(videos)} "
            "videos"
        )
    return found


def _find_all_frames(root: Path, folder: Path, names: tuple[str, ...]) -> Path:
    """Finds the folder of the package with all frames, beside that of the split or of the year."""
    around = dict.fromkeys((folder.absolute().parent, root))
    candidates = [
        parent / f"{name}_all_frames"
        for place in around
        for parent in (place, place / "all_frames")
        for name in names
    ]
    for candidate in candidates:
        if (candidate / FRAMES).is_dir():
            return candidate
    raise ValueError(
        f"{candidates[0] / FRAMES}: expected the images of all frames, found no such folder; "
        f"{candidates[0].parent} holds {describe_folder(candidates[0].parent)}; unpack the package "
        "of all frames there, or segment only the listed frames"
    )


def score_youtube_vos(
    sequence: SequenceFiles, masks: SequenceMasks, rule: ScoringRule
) -> tuple[ObjectResult, ...]:
    """Scores every object over its listed frames after the first, whose mask is given."""
    counted = {number: span[1:] for number, span in sorted(sequence.spans.items())}
    rows = score_objects(sequence.name, masks, counted, rule)
    if rule.unseen is None:
        return rows
    unknown = [row.id for row in rows if row.id not in sequence.categories]
    if unknown:
        raise ValueError(
            f"{sequence.name}: expected the categories of all objects, to tell the unseen ones, "
            f"found none for {', '.join(map(str, unknown))}; give a meta.json with categories, or "
            "no list of unseen ones"
        )
    return tuple(row._replace(is_unseen=sequence.categories[row.id] in rule.unseen) for row in rows)


def summarise_youtube_vos(objects: Sequence[ObjectResult], rule: ScoringRule) -> Summary:
    """Averages over objects within seen and unseen categories, and then over the two.

    G = (J_seen + J_unseen + F_seen + F_unseen) / 4; without a list of unseen categories there is no
    G, but the mean J&F of J and F over all objects.
    """
    del rule  # the rows tell which are unseen
    parts = split_by_seen(objects)
    summary = {
        f"{letter}_{name}" if name else letter: mean_of(part, value)
        for letter, value in (("J", region_mean), ("F", boundary_mean))
        for name, part in (parts or {"": objects}).items()
    }
    return (
        "YouTube-VOS: listed frames of each object after its first; "
        f"{describe_parts(objects, 'categories')}",
        {"G" if parts else "J&F": statistics.fmean(summary.values()), **summary},
    )


YOUTUBE_VOS = DataSet(
    find_youtube_vos,
    protocol=Protocol(
        score_youtube_vos,
        summarise_youtube_vos,
        unseen_names=lambda sequence: sequence.categories.values(),
    ),
    options=("all_frames",),
    nested=MASKS,
    server="https://youtube-vos.org",
)
YOUTUBE_VOS_OF_ANY_YEAR = DataSet(find_youtube_vos, trains_on="videos")
