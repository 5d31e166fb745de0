"""DAVIS 2016 and 2017: ``{JPEGImages,Annotations}/<resolution>/<sequence>``, lists in ImageSets."""

from __future__ import annotations

from pathlib import Path

from mavos_jax.data.benchmarks.benchmark import (
    BenchmarkOptions,
    BenchmarkSequence,
    GivenMask,
)
from mavos_jax.data.benchmarks.layout import (
    Layout,
    SequenceFolders,
    build_sequence,
    find_repeated,
    list_frames,
    list_masks,
    require_all_or_first,
)
from mavos_jax.data.sets.listing import FRAMES, MASKS, describe_folder, require_root, split_names
from mavos_jax.data.sets.names import read_list

_SMALL = ("480p",)
_FULL = ("Full-Resolution", "1080p")
_SMALL_HEIGHT = 480
_LABELLED = ("train", "val", "valid")


def find_davis(options: BenchmarkOptions) -> Layout:
    """Names the sequences of a split's list, at the resolution that is asked for.

    The objects are those of the first frame's mask, which lies below ``masks_root`` if that is
    given, as does the truth. In DAVIS 2016 everything that is not background is one object; its
    lists hold names, or paths of images and masks, and lie in the folder of the year or of a
    resolution, as in the original package.

    Raises:
      ValueError: folders or the list are missing.
    """
    root, masks_root = options.root, options.masks_root or options.root
    lists = _list_candidates(options)
    names = read_list(root, lists)
    require_root(masks_root)
    resolutions = _SMALL if options.resolution == "480p" else _FULL
    frames = _find_resolution(root / FRAMES, resolutions)
    masks = _find_resolution(masks_root / MASKS, resolutions)
    is_shrunk = options.resolution == "full_to_480p"
    truth = masks_root / MASKS / _SMALL[0] if is_shrunk else masks
    origin = next(root / path for path in lists if (root / path).is_file())
    return Layout(
        origin=origin,
        sequences=tuple(
            SequenceFolders(name, frames / name, masks / name, truth / name) for name in names
        ),
        open_sequence=_open_sequence,
        is_labelled=options.split in _LABELLED,
        is_exhaustive=False,
        is_gapless=True,
        is_binary=options.dataset == "davis2016",
        output_height=_SMALL_HEIGHT if is_shrunk else None,
        oddities=find_repeated(origin),
    )


def _open_sequence(sequence: SequenceFolders) -> BenchmarkSequence:
    images = list_frames(sequence)
    masks = list_masks(sequence.masks)
    first = next(iter(images))
    if first not in masks:
        raise ValueError(
            f"{sequence.masks / first}.png: expected the mask of the first frame, found no such "
            f"file; {sequence.masks} holds {describe_folder(sequence.masks)}"
        )
    truth = masks if sequence.truth == sequence.masks else list_masks(sequence.truth)
    require_all_or_first(sequence.truth, truth, list(images), [first])
    return build_sequence(sequence, images, {first: GivenMask(masks[first])}, truth)


def _list_candidates(options: BenchmarkOptions) -> list[str]:
    year = options.dataset.removeprefix("davis")
    folders = (year,) if year == "2017" else (year, *_SMALL, *_FULL)
    names = split_names(options.split)
    return [f"ImageSets/{folder}/{name}.txt" for folder in folders for name in names]


def _find_resolution(folder: Path, resolutions: tuple[str, ...]) -> Path:
    for resolution in resolutions:
        if (folder / resolution).is_dir():
            return folder / resolution
    raise ValueError(
        f"{folder}: expected a folder {' or '.join(resolutions)}, found {describe_folder(folder)}; "
        "choose the resolution that is there"
    )
