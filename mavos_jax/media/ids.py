"""Counting and renumbering the object ids of masks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from mavos_jax.config import IGNORED

_REFERENCE_CROP = 465
_LEAST_REFERENCE_CROP = 464
"""Sides of the crops for which the paper's pixel counts hold, with and without aligned corners."""


def count_pixels(mask: np.ndarray) -> np.ndarray:
    """Counts the pixels of each id in a mask [H, W].

    Returns:
      int [256]; background and unknown pixels count as 0.
    """
    # Pillow counts bytes as they are; numpy would sort or widen them first, several times as slow.
    counts = np.array(Image.fromarray(mask).histogram())
    counts[[0, IGNORED]] = 0
    return counts


def pixel_threshold(pixels: int, crop: int) -> float:
    """What a number of pixels in crops of 465 x 465 becomes in smaller ones: the same area.

    Args:
      pixels: in a crop of 465 pixels a side.
      crop: side of the crops, in pixels. Crops of 464, their size without aligned corners, and
        larger ones keep the number.
    """
    if crop >= _LEAST_REFERENCE_CROP:
        return float(pixels)
    return pixels * crop**2 / _REFERENCE_CROP**2


def repack(masks: np.ndarray, ids: Sequence[int]) -> np.ndarray:
    """Renumbers ``ids`` to 1..n in the order given and makes all other objects background.

    Args:
      masks: uint8 ids, of any shape; 255 stays.
      ids: the objects to keep, each in 1..254.
    """
    table = np.zeros(256, np.uint8)
    table[IGNORED] = IGNORED
    table[list(ids)] = np.arange(1, len(ids) + 1)
    return table[masks]


def choose_ids(
    counts: np.ndarray, is_kept: np.ndarray, most: int, rng: np.random.Generator
) -> list[int]:
    """The ids to keep in ascending order: a random choice where there are too many.

    Args:
      counts: pixels of each id in the reference, [n].
      is_kept: which of them are large enough, bool [n].
      most: ids that may be kept.
      rng: chooses.
    """
    ids = np.flatnonzero(is_kept & (counts > 0))
    if len(ids) > most:
        ids = np.sort(rng.choice(ids, most, replace=False))
    return [int(i) for i in ids]
