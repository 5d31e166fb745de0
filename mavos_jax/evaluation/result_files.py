"""Folders of result masks: where the masks lie, reading them, and their fingerprint."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from mavos_jax.datasets.dataset import Benchmark, BenchmarkSequence
from mavos_jax.datasets.listing import describe_folder, name_some, subfolders, visible
from mavos_jax.media.masks import read_mask
from mavos_jax.media.pictures import describe_size, read_header
from mavos_jax.runtime.checksums import short_hash

_FOLDERS = ("", "Annotations", "masks")


def find_masks(results: Path, benchmark: Benchmark) -> Path:
    """Finds the folder that holds a folder of masks for every sequence.

    Args:
      results: it, or the folder above it where it is called ``Annotations`` or ``masks``.
      benchmark: what was segmented; other folders beside its sequences do no harm.

    Raises:
      ValueError: no sequence is there, or some are not.
    """
    names = [sequence.name for sequence in benchmark.sequences]
    for folder in (results / name for name in _FOLDERS):
        missing = [name for name in names if not (folder / name).is_dir()]
        if len(missing) == len(names):
            continue
        if missing:
            raise ValueError(
                f"{folder}: expected a folder of masks for all {len(names)} sequences of "
                f"{benchmark.name}, found none for {len(missing)}: {name_some(missing)}"
            )
        return folder
    raise ValueError(
        f"{results}: expected folders of masks ({name_some(names)}) in it, or in Annotations or "
        f"masks under it, found {describe_folder(results)}"
    )


def describe_surplus(results: Path, benchmark: Benchmark, *, is_whole: bool = True) -> str:
    """Says which masks and folders of a result belong to no frame or sequence, "" for none.

    Masks that are named after the wrong frames show so.

    Args:
      results: see :func:`find_masks`.
      benchmark: what was segmented.
      is_whole: whether ``benchmark`` has all sequences of its set.
    """
    masks = find_masks(results, benchmark)
    surplus = []
    for sequence in benchmark.sequences:
        known = {f"{sequence.frame_name(index)}.png" for index in range(len(sequence.frames))}
        names = (name for name in visible(masks / sequence.name) if name.endswith(".png"))
        surplus += [f"{sequence.name}/{name}" for name in names if name not in known]
    if is_whole:
        known = {PurePosixPath(sequence.name).parts[0] for sequence in benchmark.sequences}
        others = (name for name in subfolders(masks) if name not in known)
        surplus += [name for name in others if any((masks / name).glob("*.png"))]
    if not surplus:
        return ""
    return f"not scored, of no frame or sequence of {benchmark.name}: {name_some(surplus)}"


def mask_path(masks: Path, sequence: BenchmarkSequence, index: int) -> Path:
    """The file of a predicted mask.

    Args:
      masks: the folder found by :func:`find_masks`.
      sequence: a sequence.
      index: one of its frames.
    """
    return masks / sequence.name / f"{sequence.frame_name(index)}.png"


def read_prediction(
    masks: Path,
    sequence: BenchmarkSequence,
    index: int,
    size: tuple[int, int],
    *,
    is_binary: bool,
) -> np.ndarray:
    """Reads a predicted mask, uint8 ids [H, W].

    Args:
      masks: the folder found by :func:`find_masks`.
      sequence: a sequence.
      index: one of its frames.
      size: height and width of the truth, in pixels.
      is_binary: whether all ids are one object, which is called 1.

    Raises:
      ValueError: the file is missing or damaged, has another size, or holds no ids.
    """
    path = mask_path(masks, sequence, index)
    if not path.is_file():
        wanted = {mask_path(masks, sequence, saved).name for saved in sequence.saved}
        missing = sum(not (path.parent / name).is_file() for name in wanted)
        raise ValueError(
            f"{path}: expected a mask, found no such file; {missing} of the {len(wanted)} masks of "
            f"a result are missing, the folder holds {describe_folder(path.parent)}"
        )
    found = read_header(path, "a mask").size
    if found != size:
        raise ValueError(
            f"{path}: expected a mask of {describe_size(size)} as the truth, found "
            f"{describe_size(found)}; score at the results' resolution, or segment at that of the "
            "truth"
        )
    ids, _ = read_mask(path, size, allow_empty=True, is_drawn=False)
    return (ids > 0).astype(np.uint8) if is_binary else ids


def fingerprint_results(results: Path, benchmark: Benchmark) -> str:
    """A short hash of the bytes of all masks that belong to a result and are there.

    Raises:
      ValueError: see :func:`find_masks`.
    """
    masks = find_masks(results, benchmark)

    def parts() -> Iterator[str | bytes]:
        for sequence in benchmark.sequences:
            for index in sequence.saved:
                path = mask_path(masks, sequence, index)
                if path.is_file():
                    content = path.read_bytes()
                    yield f"{sequence.name}/{path.name} {len(content)}\n"
                    yield content

    return short_hash(parts())
