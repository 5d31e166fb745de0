"""Reads the frames, given masks and truth of a benchmark's sequences, at the size it asks for."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from mavos_jax.config import IGNORED
from mavos_jax.datasets.dataset import Benchmark, BenchmarkSequence
from mavos_jax.datasets.listing import KINDS
from mavos_jax.media.decoding import read_image
from mavos_jax.media.masks import read_mask
from mavos_jax.media.pictures import read_header
from mavos_jax.models.resize import cubic_taps, nearest_indices


def require_apart(benchmark: Benchmark, root: Path) -> None:
    """Raises ValueError for results among frames or masks, where they would count as a sequence."""
    place = root.resolve()
    paths = [path for s in benchmark.sequences for path in (s.frames[0], s.given[0].path)]
    folders = {next((p for p in path.parents if p.name in KINDS), path.parent) for path in paths}
    for folder in sorted(folders):
        if folder.resolve() in (place, *place.parents):
            raise ValueError(
                f"{root}: expected a folder for results outside of {folder}, found it inside; give "
                "another --output"
            )


def input_size(benchmark: Benchmark, stored: tuple[int, int]) -> tuple[int, int]:
    """Returns the height and width, in pixels, at which frames of a stored size are taken."""
    if benchmark.short_edge is None or min(stored) <= benchmark.short_edge:
        return stored
    factor = benchmark.short_edge / min(stored)
    height, width = (math.floor(edge * factor + 0.5) for edge in stored)
    return height, width


def output_size(benchmark: Benchmark, stored: tuple[int, int]) -> tuple[int, int]:
    """Returns the height and width, in pixels, of the masks of frames of a stored size."""
    height, width = input_size(benchmark, stored)
    if benchmark.output_height is None:
        return height, width
    return benchmark.output_height, math.ceil(width * benchmark.output_height / height)


def read_frame(benchmark: Benchmark, path: Path) -> np.ndarray:
    """Reads a frame, uint8 RGB [H, W, 3], shrunk if the benchmark says so.

    Raises:
      ValueError: the file is missing, damaged, or deeper than 8 bits a channel.
    """
    frame = read_image(path)
    return shrink_frame(frame, input_size(benchmark, (frame.shape[0], frame.shape[1])))


def shrink_frame(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resizes a frame, uint8 RGB [H, W, 3], by the network's cubic, rounded to whole numbers."""
    if frame.shape[:2] == size:
        return frame
    result = frame.astype(np.float32)
    for axis in (0, 1):
        indices, weights = cubic_taps(result.shape[axis], size[axis])
        shape = (1,) * axis + (size[axis],) + (1,) * (2 - axis)
        taps = np.stack([np.take(result, index, axis=axis) for index in np.asarray(indices).T])
        result = (taps * np.asarray(weights).T.reshape(-1, *shape)).sum(axis=0)
    return np.clip(np.rint(result), 0, 255).astype(np.uint8)


def read_given(
    benchmark: Benchmark, sequence: BenchmarkSequence, index: int, stored: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray | None]:
    """Reads the given mask of a frame: ids to start from, and the mask's own palette.

    Args:
      benchmark: the set.
      sequence: one of its sequences.
      index: a frame of ``sequence.given``.
      stored: height and width of the stored frames, in pixels.

    Returns:
      Ids, uint8 [H, W] with 0 the background and 255 pixels to ignore, at the input size; and the
      palette, uint8 [256, 3], or None.

    Raises:
      ValueError: see :func:`mavos_jax.media.masks.read_mask`.
    """
    given = sequence.given[index]
    ids, palette = read_mask(given.path, stored, allow_empty=True)
    if benchmark.is_binary:
        ids = (ids > 0).astype(np.uint8)
    elif given.ids is not None:
        ids = np.where(np.isin(ids, (*given.ids, IGNORED)), ids, 0).astype(np.uint8)
    return shrink_mask(ids, input_size(benchmark, stored)), palette


def read_truth(benchmark: Benchmark, sequence: BenchmarkSequence, index: int) -> np.ndarray:
    """Reads the true mask of a frame, uint8 ids [H, W], at the size of results.

    Raises:
      ValueError: the file is missing, damaged, or holds no ids.
    """
    path = sequence.truth[index]
    stored = read_header(path, "a mask").size
    ids, _ = read_mask(path, stored, allow_empty=True, is_drawn=False)
    if benchmark.is_binary:
        ids = (ids > 0).astype(np.uint8)
    return shrink_mask(ids, output_size(benchmark, stored))


def shrink_mask(ids: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resizes ids, uint8 [H, W], to their nearest neighbours."""
    if ids.shape == size:
        return ids
    rows, columns = (nearest_indices(ids.shape[axis], size[axis]) for axis in (0, 1))
    return ids[rows][:, columns]
