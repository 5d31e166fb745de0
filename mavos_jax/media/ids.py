"""Object ids of masks: counts and renumbers them, and tells them from other values."""

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageFilter

from mavos_jax.config import IGNORED

_CONVERTER = "python -m mavos_jax.commands.masks makes ids of colours and grey levels"
# Sides of the crops for which the paper's pixel counts hold, with and without aligned corners.
_REFERENCE_CROP = 465
_LEAST_REFERENCE_CROP = 464
_MIN_OUTLINE_IDS = 3
_MAX_TRUSTED_IDS = 20


def count_pixels(mask: np.ndarray) -> np.ndarray:
    """Counts each id in a mask [H, W], int [256]; background and ignored pixels count as 0."""
    # Pillow counts bytes as they are; numpy would sort or widen them first, several times as slow.
    counts = np.array(Image.fromarray(mask).histogram())
    counts[[0, IGNORED]] = 0
    return counts


def object_ids(ids: np.ndarray) -> tuple[int, ...]:
    """Lists the objects in a mask, ascending: all values but 0 and 255."""
    return tuple(int(i) for i in np.flatnonzero(count_pixels(ids)))


def pixel_threshold(pixels: int, crop: int) -> float:
    """Scales a number of pixels in crops of 465 x 465 (or 464) to smaller crops, by area."""
    if crop >= _LEAST_REFERENCE_CROP:
        return float(pixels)
    return pixels * crop**2 / _REFERENCE_CROP**2


def repack(masks: np.ndarray, ids: Sequence[int]) -> np.ndarray:
    """Renumbers ``ids``, each in 1..254, to 1..n and makes other objects background; 255 stays."""
    table = np.zeros(256, np.uint8)
    table[IGNORED] = IGNORED
    table[list(ids)] = np.arange(1, len(ids) + 1)
    return table[masks]


def choose_ids(counts: np.ndarray, is_kept: np.ndarray, most: int, rng: Generator) -> list[int]:
    """Returns the large enough ids with pixels, ascending, a random choice of ``most`` of them."""
    ids = np.flatnonzero(is_kept & (counts > 0))
    if len(ids) > most:
        ids = np.sort(rng.choice(ids, most, replace=False))
    return [int(i) for i in ids]


def explain_emptiness(ids: np.ndarray) -> str | None:
    """Says what is wrong with a first mask, uint8 [H, W], that shows no object."""
    if object_ids(ids):
        return None
    if (ids == IGNORED).any():
        return (
            "expected at least one object, found only 0 and 255, which marks pixels to ignore; "
            f"save the object as 1; {_CONVERTER}"
        )
    return (
        "expected at least one object, found an empty mask (only 0); draw the objects to "
        "follow with the ids 1, 2, ..."
    )


def explain_fullness(ids: np.ndarray) -> str | None:
    """Says that a first mask, uint8 [H, W], has no background, which is odd but no obstacle."""
    if not ids.all():
        return None
    return (
        f"expected background (0) around the objects, found none; if {ids[0, 0]}, the id of the "
        "corner, is the background, save it as 0"
    )


def explain_drawing(ids: np.ndarray, palette: np.ndarray | None) -> str | None:
    """Says why a drawn mask, with its own colours, is not taken for ids, if it is not."""
    return explain_levels(ids, palette) or _explain_background(ids, palette)


def explain_levels(ids: np.ndarray, palette: np.ndarray | None) -> str | None:
    """Says that a mask shows smoothed edges or grey levels, not ids, if it does."""
    found = smoothed_ids(ids)
    if found:
        return (
            f"expected one id per object, found that {len(found)} of {len(object_ids(ids))} ids "
            "occur only along outlines, as anti-aliasing or compression leaves them; draw and "
            "resize masks without smoothing and save object ids as an indexed PNG (0 = background, "
            "1, 2, ... = objects)"
        )
    # Grey levels go up to white, which would be ignored.
    used = np.flatnonzero(count_pixels(ids))
    if not used.size or used[0] <= _MAX_TRUSTED_IDS or IGNORED not in ids:
        return None
    levels = [*used, IGNORED]
    if palette is not None and (len(palette) <= IGNORED or np.ptp(palette[levels], axis=1).any()):
        return None
    is_white = Image.fromarray((ids == IGNORED).astype(np.uint8))
    if not np.asarray(is_white.filter(ImageFilter.MinFilter(5))).any():
        return None
    return (
        f"expected object ids 1, 2, ..., found grey levels ({', '.join(map(str, used[:8]))}) and "
        f"an area of 255, which marks pixels to ignore; {_CONVERTER}"
    )


def _explain_background(ids: np.ndarray, palette: np.ndarray | None) -> str | None:
    """Says that index 0 of a palette is an object's colour, and another the background's."""
    if palette is None or not palette[0].any():
        return None
    counts = np.bincount(ids.ravel(), minlength=256)[: len(palette)]
    black = [i for i in np.flatnonzero(counts) if not palette[i].any()]
    other = black[0] if black else int(counts.argmax())
    # White or grey may well be the background, also where objects are black.
    signs = (np.ptp(palette[0]) > 0, bool(black), counts[other] > counts[0])
    if sum(signs) < 2:
        return None
    colour = ", ".join(map(str, palette[other]))
    return (
        f"expected the background at index 0, found the colour ({', '.join(map(str, palette[0]))}) "
        f"there, and ({colour}) at index {other}, which would count as an object; {_CONVERTER}"
    )


def smoothed_ids(ids: np.ndarray) -> tuple[int, ...]:
    """Lists ids that lie between their neighbours' and only on outlines, if most do; else none."""
    counts = count_pixels(ids)
    num_ids, highest = np.count_nonzero(counts), int(np.flatnonzero(counts).max(initial=0))
    if num_ids < _MIN_OUTLINE_IDS or highest == num_ids <= _MAX_TRUSTED_IDS:
        return ()  # a few without a gap are how people number objects, however thin
    return smoothed_values(ids)


def smoothed_values(values: np.ndarray) -> tuple[int, ...]:
    """Lists values of uint8 or int32 as :func:`smoothed_ids`, whatever they and their number are.

    Blends lie between their neighbours, as thin objects seldom do.
    """
    image = Image.fromarray(values)
    low = np.asarray(image.filter(ImageFilter.MinFilter(3)))
    high = np.asarray(image.filter(ImageFilter.MaxFilter(3)))
    all_values, counts = np.unique(values, return_counts=True)
    between, blended = np.unique(values[(low < values) & (values < high)], return_counts=True)
    blends = between[2 * blended >= counts[np.searchsorted(all_values, between)]]
    found = np.setdiff1d(blends, values[low == high])
    is_smooth = len(found) >= _MIN_OUTLINE_IDS and 2 * len(found) > len(all_values)
    return tuple(found.tolist()) if is_smooth else ()
