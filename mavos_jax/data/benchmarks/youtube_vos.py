"""YouTube-VOS 2018 and 2019: ``<split>/{JPEGImages,Annotations}/<video>`` and ``meta.json``."""

from __future__ import annotations

import functools
from pathlib import Path

from mavos_jax.data.benchmarks.benchmark import BenchmarkOptions, BenchmarkSequence
from mavos_jax.data.benchmarks.layout import (
    Layout,
    SequenceFolders,
    build_sequence,
    list_frames,
    list_masks,
    listed_masks,
    require_all_or_first,
    require_frames,
)
from mavos_jax.data.sets.listing import FRAMES, MASKS, describe_folder, find_pair, split_names
from mavos_jax.data.sets.metadata import parse_frames, read_metadata

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
