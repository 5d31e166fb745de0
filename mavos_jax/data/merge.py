"""Pasting one clip over another, so that clips have more objects and more occlusions."""

from __future__ import annotations

import numpy as np

from mavos_jax.config import IGNORED, MAX_OBJECTS
from mavos_jax.data.augment import LEAST_OBJECT, Crops
from mavos_jax.media.ids import choose_ids, count_pixels, pixel_threshold, repack


def paste_over(clip: Crops, pasted: Crops, most: int, rng: np.random.Generator) -> Crops:
    """Pastes the foreground of a second clip over a first, frame by frame.

    Objects under 100 pixels in the merged reference (fewer in crops smaller than 465 x 465) become
    background, as do all but a random ``most``; the ids of the others are re-packed, the first
    clip's before the second's. What is ignored in the first stays so where nothing is pasted; what
    is ignored in the second is not pasted.

    Args:
      clip: below.
      pasted: above, of the same shape.
      most: objects that may be kept, at most 10.
      rng: chooses objects where there are more.
    """
    is_pasted = (pasted.masks > 0) & (pasted.masks != IGNORED)
    frames = np.where(is_pasted[..., None], pasted.frames, clip.frames)
    # uint8 is wide enough: both have ids of at most ten
    masks = np.where(is_pasted, pasted.masks + np.uint8(MAX_OBJECTS), clip.masks)
    counts = count_pixels(masks[0])
    is_large = counts >= pixel_threshold(LEAST_OBJECT, masks.shape[-1])
    ids = choose_ids(counts, is_large, most, rng)
    return Crops(frames, repack(masks, ids), len(ids))
