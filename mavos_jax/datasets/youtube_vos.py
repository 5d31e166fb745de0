"""YouTube-VOS 2018 and 2019: ``<split>/{JPEGImages,Annotations}/<video>`` and ``meta.json``."""

from __future__ import annotations

import functools
import statistics
from collections.abc import Sequence
from pathlib import Path

from mavos_jax.config.data import SourceConfig
from mavos_jax.datasets.dataset import BenchmarkOptions, BenchmarkSequence
from mavos_jax.datasets.files import FileSet, SequenceFiles
from mavos_jax.datasets.listing import (
    FRAMES,
    MASKS,
    describe_folder,
    find_pair,
    require_annotations,
    require_root,
    split_names,
)
from mavos_jax.datasets.metadata import parse_frames, read_metadata
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
    listed_masks,
    require_all_or_first,
    require_frames,
)
from mavos_jax.media.folders import MASK_SUFFIXES, frames_by_stem, images_by_stem, natural_order
from mavos_jax.scores.scores import ObjectResult

_META = "meta.json"


def find_youtube_vos(options: BenchmarkOptions) -> Layout:
    """Names the videos of ``meta.json``.

    The root holds the split's folder, with or without a folder of the year between, or is that
    folder. An object's mask is given at its first listed frame. Frames are the listed ones, or with
    ``all_frames`` every image of ``<split>_all_frames`` between the first and the last of them; the
    masks of the listed ones make up a result.

    Raises:
      ValueError: folders are missing, or ``meta.json`` is missing or damaged.
    """
    root = options.root
    year = options.dataset.removeprefix("youtube_vos")
    names = split_names(options.split)
    own = ["."] if root.absolute().name in names else []
    folder = root / find_pair(root, (*(f"{year}/{name}" for name in names), *names, *own))
    meta = folder / _META
    videos = read_metadata(meta, lambda _, value: parse_frames(meta, value), expected="frames")
    frames = (_find_all_frames(root, folder, names) if options.all_frames else folder) / FRAMES
    masks = folder / MASKS
    return Layout(
        origin=meta,
        sequences=tuple(
            SequenceFolders(name, frames / name, masks / name, masks / name, objects)
            for name, objects in videos.items()
        ),
        open_sequence=functools.partial(
            _open_sequence, meta=meta, has_all_frames=options.all_frames
        ),
        is_labelled=options.split == "train",
        is_exhaustive=True,
        is_gapless=options.all_frames,
    )


def _open_sequence(
    sequence: SequenceFolders, *, meta: Path, has_all_frames: bool
) -> BenchmarkSequence:
    images, masks, listed = list_frames(sequence), list_masks(sequence.masks), sequence.listed
    require_frames(sequence, images, listed, meta)
    names = list(images)
    kept = names[names.index(listed[0]) : names.index(listed[-1]) + 1] if has_all_frames else listed
    given = listed_masks(sequence, masks, meta)
    require_all_or_first(sequence.truth, masks, listed, given)
    return build_sequence(
        sequence,
        {name: images[name] for name in kept},
        given,
        {name: masks[name] for name in listed if name in masks},
        saved=listed,
    )


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
        "of all frames there, or segment the listed frames alone"
    )


_META = "meta.json"
_YEARS = ("2018", "2019")
_MIN_FRAMES = 2


def open_youtube_vos(config: SourceConfig) -> FileSet:
    """Lists the videos of ``meta.json``, each with the frames at which its objects are annotated.

    Objects with fewer than 2 frames become background, and videos with fewer than 2 frames are left
    out and counted. The root is the folder of the splits, the folder of the one year that is there,
    or the split's own folder.

    Raises:
      ValueError: folders, ``meta.json`` or a video are missing, or videos have first masks alone.
    """
    root = Path(config.root)
    folder = _find_split(root, config.split)
    meta = root / folder / _META
    videos = read_metadata(
        meta, lambda _, value: parse_frames(meta, value), expected="frames", allow_empty=True
    )
    sequences, num_left_out = [], 0
    for name, objects in videos.items():
        frames_of = {i: o.frames for i, o in objects.items() if len(o.frames) >= _MIN_FRAMES}
        stems = sorted({stem for stems in frames_of.values() for stem in stems}, key=natural_order)
        if not stems:
            num_left_out += 1
            continue
        sequences.append(_sequence(root, folder, name, stems, tuple(sorted(frames_of))))
    if not sequences:
        raise ValueError(
            f"{meta}: expected videos of {_MIN_FRAMES} frames or more, found none "
            f"in {num_left_out} videos"
        )
    require_annotations(root, sequences)
    return FileSet(
        name=f"{config.kind} {config.split}",
        root=str(root.absolute()),
        sequences=tuple(sequences),
        form="ids",
        max_gap=config.max_gap,
        num_left_out=num_left_out,
    )


def _find_split(root: Path, split: str) -> str:
    """Finds the folder of a split, relative to the root."""
    require_root(root)
    years = [year for year in _YEARS if (root / year).is_dir()]
    if len(years) > 1:
        raise ValueError(
            f"{root}: expected one year of YouTube-VOS, found {' and '.join(years)}; give "
            f"{root / years[0]} or {root / years[-1]}"
        )
    names = split_names(split)
    nested = [f"{year}/{name}" for year in years for name in names]
    own = ["."] if root.name in names else []
    return find_pair(root, (*names, *nested, *own))


def _sequence(
    root: Path, folder: str, name: str, stems: list[str], ids: tuple[int, ...]
) -> SequenceFiles:
    frame_folder, mask_folder = (str(Path(folder, kind, name)) for kind in (FRAMES, MASKS))
    images = frames_by_stem(root / frame_folder)
    masks = images_by_stem(root / mask_folder, MASK_SUFFIXES)
    if not images:
        raise ValueError(
            f"{root / frame_folder}: expected the frames of {name}, which {_META} lists, found "
            f"{describe_folder(root / frame_folder)}"
        )
    return SequenceFiles(
        *(name, frame_folder, mask_folder),
        tuple(images.get(stem, f"{stem}.jpg") for stem in stems),
        tuple(masks.get(stem, f"{stem}.png") for stem in stems),
        ids,
    )


def score_youtube_vos(
    sequence: BenchmarkSequence, masks: SequenceMasks, rule: ScoringRule
) -> tuple[ObjectResult, ...]:
    """Scores every object over its listed frames after the first, whose mask is given.

    Args:
      sequence: which the masks belong to; ``spans`` are the objects and their listed frames.
      masks: of its frames.
      rule: by ``unseen`` a category is an unseen one or not; ``official_decay`` counts, too.

    Raises:
      ValueError: a predicted id is above all objects, or a category is asked for that is not known.
    """
    counted = {number: span[1:] for number, span in sorted(sequence.spans.items())}
    rows = score_objects(sequence, masks, counted, official_decay=rule.official_decay)
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


def summarise_youtube_vos(
    objects: Sequence[ObjectResult],
    rule: ScoringRule,
) -> tuple[str, dict[str, float]]:
    """Averages over objects within seen and unseen categories, and then over the two.

    G = (J_seen + J_unseen + F_seen + F_unseen) / 4; without a list of unseen categories there is no
    G, but the mean J&F of J and F over all objects.

    Args:
      objects: at least one.
      rule: by which they were scored; the rows tell all that counts.

    Returns:
      The rule in words, and the summary.
    """
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
