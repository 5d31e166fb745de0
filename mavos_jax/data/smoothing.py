"""Tells object masks whose outlines were smoothed, or that were compressed with loss before."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

from mavos_jax.data.identities import count_pixels

_MIN_OUTLINE_IDS = 3
_MAX_TRUSTED_IDS = 20


def smoothed_ids(ids: np.ndarray) -> tuple[int, ...]:
    """Lists ids between those of neighbouring pixels, if most are, as smoothing leaves them.

    Smoothing and compression leave ids that no object has, and only on outlines. A few ids 1, 2,
    ... without a gap are as people number objects, however thin; but a smoothed mask has many ids,
    and on a large frame they leave no gap either.

    Args:
      ids: uint8 [H, W]; 255 marks pixels to ignore.

    Returns:
      The ids, ascending; none for a mask that is taken for what it is.
    """
    counts = count_pixels(ids)
    num_ids, highest = np.count_nonzero(counts), int(np.flatnonzero(counts).max(initial=0))
    if num_ids < _MIN_OUTLINE_IDS or highest == num_ids <= _MAX_TRUSTED_IDS:
        return ()
    image = Image.fromarray(ids)
    low = np.asarray(image.filter(ImageFilter.MinFilter(3)))
    high = np.asarray(image.filter(ImageFilter.MaxFilter(3)))
    num_inner = np.bincount(ids[low == high], minlength=256)
    num_between = np.bincount(ids[(low < ids) & (ids < high)], minlength=256)
    is_between = (counts > 0) & (num_inner == 0) & (2 * num_between >= counts)
    found = tuple(int(i) for i in np.flatnonzero(is_between))
    is_smooth = len(found) >= _MIN_OUTLINE_IDS and 2 * len(found) > num_ids
    return found if is_smooth else ()
