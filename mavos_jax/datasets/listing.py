"""Finding the folders and lists of a data set, and saying what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from mavos_jax.datasets.files import SequenceFiles
from mavos_jax.media.folders import (
    MASK_SUFFIXES,
    frames_by_stem,
    images_by_stem,
    name_some,
    subfolders,
    visible,
)

FRAMES = "JPEGImages"
MASKS = "Annotations"
KINDS = (FRAMES, MASKS)

_MIN_FRAMES = 2


def split_names(split: str) -> tuple[str, ...]:
    """The names that the folder of a split goes by."""
    return {"val": ("val", "valid"), "valid": ("valid", "val")}.get(split, (split,))


def find_pair(root: Path, candidates: Sequence[str]) -> str:
    """Finds the first folder, relative to ``root``, that holds ``JPEGImages`` and ``Annotations``.

    Raises:
      ValueError: none of the candidates does.
    """
    require_root(root)
    for candidate in candidates:
        if (root / candidate / FRAMES).is_dir() and (root / candidate / MASKS).is_dir():
            return candidate
    wanted = " or ".join(str(Path(candidate, f"{{{FRAMES},{MASKS}}}")) for candidate in candidates)
    raise ValueError(f"{root}: expected {wanted} under it, found {describe_folder(root)}")


def require_root(root: Path) -> None:
    """Raises unless a set's root is a folder."""
    if not root.is_dir():
        found = "a file" if root.exists() else "nothing"
        raise ValueError(f"{root}: expected the folder of a data set, found {found}")


def describe_folder(folder: Path) -> str:
    """Words for what is in a folder."""
    if not folder.is_dir():
        return f"no folder {folder}"
    return name_some(visible(folder)) or "an empty folder"


def find_sequences(
    root: Path, names: Sequence[str], resolutions: Sequence[str]
) -> tuple[SequenceFiles, ...]:
    """Pairs the frames and masks of listed sequences, at the first resolution that is there.

    Args:
      root: of the set.
      names: of the sequences.
      resolutions: folders below ``JPEGImages`` and ``Annotations``.

    Raises:
      ValueError: no resolution has both folders, a sequence is not there or has first masks alone.
    """
    found = next((r for r in resolutions if all((root / k / r).is_dir() for k in KINDS)), None)
    if found is None:
        wanted = " or ".join(f"{{{FRAMES},{MASKS}}}/{resolution}" for resolution in resolutions)
        raise ValueError(
            f"{root}: expected {wanted} under it, found {describe_folder(root)}, with "
            f"{describe_folder(root / FRAMES)} in {FRAMES} and {describe_folder(root / MASKS)} in "
            f"{MASKS}"
        )
    missing = [name for name in names if not (root / FRAMES / found / name).is_dir()]
    if missing:
        raise ValueError(
            f"{root / FRAMES / found}: expected folders of frames for all listed sequences, found "
            f"none for {len(missing)}: {name_some(missing)}"
        )
    sequences = tuple(
        pair_sequence(root, name, *(f"{k}/{found}/{name}" for k in KINDS), annotated_only=False)
        for name in names
    )
    require_annotations(root, sequences)
    return sequences


def pair_all(root: Path, folder: str, *, annotated_only: bool) -> tuple[SequenceFiles, ...]:
    """Pairs the frames and masks of every sequence in ``root/folder/JPEGImages``.

    Args:
      root: of the set.
      folder: of the split, relative to the root.
      annotated_only: see :func:`pair_sequence`.

    Raises:
      ValueError: there is no sequence, or some have fewer than two masks.
    """
    names = subfolders(root / folder / FRAMES)
    if not names:
        raise ValueError(
            f"{root / folder / FRAMES}: expected a folder of frames for every sequence, found "
            f"{describe_folder(root / folder / FRAMES)}"
        )
    sequences = tuple(
        pair_sequence(
            *(root, name),
            *(str(Path(folder, kind, name)) for kind in KINDS),
            annotated_only=annotated_only,
        )
        for name in names
    )
    require_annotations(root, sequences)
    return sequences


def pair_sequence(
    root: Path, name: str, frame_folder: str, mask_folder: str, *, annotated_only: bool
) -> SequenceFiles:
    """Pairs the images of a folder with the masks of the same names in another.

    Args:
      root: of the set, to which the folders are relative.
      name: of the sequence.
      frame_folder: of its images.
      mask_folder: of its masks.
      annotated_only: leave out images without a mask; else their masks are missed when read.

    Raises:
      ValueError: there is no image, some look like masks, or a mask belongs to none.
    """
    images = frames_by_stem(root / frame_folder)
    if not images:
        raise ValueError(
            f"{root / frame_folder}: expected the frames of {name} (.jpg or .png), found "
            f"{describe_folder(root / frame_folder)}"
        )
    masks = images_by_stem(root / mask_folder, MASK_SUFFIXES)
    stray = next((name for stem, name in masks.items() if stem not in images), None)
    if stray is not None:
        raise ValueError(
            f"{root / mask_folder / stray}: expected the name of a frame in {root / frame_folder}, "
            "found no such frame; restore the frame or remove the mask"
        )
    stems = [stem for stem in images if stem in masks] if annotated_only else list(images)
    return SequenceFiles(
        *(name, frame_folder, mask_folder),
        tuple(images[stem] for stem in stems),
        tuple(masks.get(stem, f"{stem}.png") for stem in stems),
        num_left_out=len(images) - len(stems),
    )


def require_annotations(root: Path, sequences: Iterable[SequenceFiles]) -> None:
    """Raises unless every sequence has two frames with masks, or says which have not."""
    short = []
    for sequence in sequences:
        masks = set(images_by_stem(root / sequence.mask_folder, MASK_SUFFIXES).values())
        if len(masks.intersection(sequence.masks)) < _MIN_FRAMES:
            short.append(sequence.name)
    if short:
        raise ValueError(
            f"{root}: expected at least {_MIN_FRAMES} frames with masks in every sequence, found "
            f"fewer in {len(short)}: {name_some(short)}; training needs more than first "
            "masks alone"
        )
