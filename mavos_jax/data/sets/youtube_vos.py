"""YouTube-VOS 2018 and 2019: ``<split>/{JPEGImages,Annotations}/<video>`` and ``meta.json``."""

from __future__ import annotations

from pathlib import Path

from mavos_jax.config.data import SourceConfig
from mavos_jax.data.sets.files import FileSet, SequenceFiles
from mavos_jax.data.sets.listing import (
    FRAMES,
    MASKS,
    describe_folder,
    find_pair,
    require_annotations,
    require_root,
    split_names,
)
from mavos_jax.data.sets.metadata import parse_frames, read_metadata
from mavos_jax.media.folders import MASK_SUFFIXES, frames_by_stem, images_by_stem, natural_order

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
