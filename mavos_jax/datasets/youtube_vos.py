"""YouTube-VOS 2018 and 2019: ``<split>/{JPEGImages,Annotations}/<video>`` and ``meta.json``."""

import statistics
from pathlib import Path

from mavos_jax.datasets import listing, protocol
from mavos_jax.datasets.dataset import BenchmarkOptions, DataSet
from mavos_jax.datasets.sequences import Layout, SequenceFiles, sequences_below
from mavos_jax.media.folders import describe_folder

_META = "meta.json"
_YEARS = ("2018", "2019")
_MIN_FRAMES = 2


def find_youtube_vos(options: BenchmarkOptions) -> Layout:
    """Names the videos of ``meta.json``; an object's mask is given at its first listed frame.

    Frames are the listed ones, or with ``all_frames`` every image of ``<split>_all_frames`` from
    the first to the last of them. In training, objects with fewer than 2 listed frames are
    background, and videos without others are left out.
    """
    root, names = options.root, options.split_names
    listing.require_root(root)
    years = [f"{year}/{name}" for year in _find_years(options) for name in names]
    folder = listing.find_pair(root, (*years, *names, *listing.own_folder(root, names)))
    meta = folder / _META
    videos = listing.read_metadata(
        meta,
        lambda _, value: listing.parse_frames(meta, value),
        expected="frames",
        allow_empty=options.for_training,
    )
    num_videos = len(videos)
    if options.for_training:
        videos = _seen_twice(meta, videos)
    package = _find_all_frames(root, folder, names) if options.all_frames else folder
    return Layout(
        origin=meta,
        sequences=sequences_below(package / listing.FRAMES, folder / listing.MASKS, videos, videos),
        starts="listed",
        frames="between" if options.all_frames else "listed",
        is_labelled=options.split == "train",
        is_gapless=options.all_frames,
        num_left_out=num_videos - len(videos),
    )


def _find_years(options: BenchmarkOptions) -> list[str]:
    """The year in the data set's name, else the only year that is there."""
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


def _seen_twice(meta: Path, videos: listing.VideoObjects) -> listing.VideoObjects:
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
    """Finds the folder with all frames, beside the split's or the year's."""
    around = dict.fromkeys((folder.absolute().parent, root))
    candidates = [
        parent / f"{name}_all_frames"
        for place in around
        for parent in (place, place / "all_frames")
        for name in names
    ]
    for candidate in candidates:
        if (candidate / listing.FRAMES).is_dir():
            return candidate
    raise ValueError(
        f"{candidates[0] / listing.FRAMES}: expected the images of all frames, found no such "
        f"folder; {candidates[0].parent} holds {describe_folder(candidates[0].parent)}; unpack the "
        "package of all frames there, or segment only the listed frames"
    )


def score_youtube_vos(
    sequence: SequenceFiles, masks: protocol.SequenceMasks, options: protocol.ScoringOptions
) -> protocol.Rows:
    """Scores every object over its listed frames after the first, whose mask is given."""
    counted = {number: span[1:] for number, span in sorted(sequence.spans.items())}
    rows = protocol.score_objects(sequence.name, masks, counted, options)
    if options.unseen is None:
        return rows
    categories = sequence.categories
    unknown = [row.id for row in rows if row.id not in categories]
    if unknown:
        raise ValueError(
            f"{sequence.name}: expected the categories of all objects, to tell the unseen ones, "
            f"found none for {', '.join(map(str, unknown))}; give a meta.json with categories, or "
            "no list of unseen ones"
        )
    return tuple(row._replace(is_unseen=categories[row.id] in options.unseen) for row in rows)


def summarise_youtube_vos(
    objects: protocol.Objects, options: protocol.ScoringOptions
) -> protocol.Summary:
    """Averages within seen and unseen categories, then over both; over all without a list."""
    parts = protocol.split_by_seen(objects)
    summary = {
        f"{letter}_{name}" if name else letter: protocol.mean_of(part, value)
        for letter, value in (("J", protocol.region_mean), ("F", protocol.boundary_mean))
        for name, part in (parts or {"": objects}).items()
    }
    return (
        "YouTube-VOS: listed frames of each object after its first; "
        f"{protocol.describe_parts(objects, 'categories')}",
        {"G" if parts else "J&F": statistics.fmean(summary.values()), **summary},
    )


YOUTUBE_VOS = DataSet(
    find_youtube_vos,
    protocol=protocol.Protocol(
        score_youtube_vos,
        summarise_youtube_vos,
        unseen_names=lambda sequence: sequence.categories.values(),
    ),
    options=("all_frames",),
    nested=listing.MASKS,
    server="https://youtube-vos.org",
)
YOUTUBE_VOS_OF_ANY_YEAR = DataSet(find_youtube_vos, trains_on="videos")
