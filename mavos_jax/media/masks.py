"""Object masks as indexed PNG files: reading with checks, and writing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter
from PIL.PngImagePlugin import PngInfo

from mavos_jax.config import IGNORED
from mavos_jax.media.decoding import read_values
from mavos_jax.media.ids import count_pixels
from mavos_jax.media.pictures import Size
from mavos_jax.runtime.files import written_whole

_CONVERTER = "python -m mavos_jax.commands.masks makes ids of colours and grey levels"

_MIN_OUTLINE_IDS = 3
_MAX_TRUSTED_IDS = 20


def read_mask(
    path: Path, size: Size, *, allow_empty: bool = False, is_drawn: bool = True
) -> tuple[np.ndarray, np.ndarray | None]:
    """Reads a picture whose pixel values are object ids, see :func:`.decoding.read_values`.

    Args:
      path: the picture.
      size: height and width that the mask must have, in pixels.
      allow_empty: whether a mask without any object is returned rather than refused.
      is_drawn: whether objects are to be followed from it, so that what :func:`explain_drawing`
        finds, which is likely where people draw, is refused. What networks predict may look the
        same, and the truth is what it is.

    Returns:
      The ids, uint8 [H, W] with 0 the background and 255 pixels to ignore; and the picture's own
      palette, uint8 [256, 3], or None if it has none. Colours that it lacks are those of PASCAL
      VOC.

    Raises:
      ValueError: see :func:`.decoding.read_values`; or the mask has no object, or was not drawn
        as ids.
    """
    ids, own = read_values(path, size)
    fault = explain_drawing(ids, own) if is_drawn else None
    if fault is None and not allow_empty:
        fault = explain_emptiness(ids)
    if fault is not None:
        raise ValueError(f"{path}: {fault}")
    if own is None:
        return ids, None
    palette = voc_palette()
    palette[: len(own)] = own
    return ids, palette


def write_mask(
    path: Path, ids: np.ndarray, palette: np.ndarray | None = None, mark: PngInfo | None = None
) -> None:
    """Writes an indexed PNG, under its name only once it is whole.

    Args:
      path: where to; its folder is made if needed.
      ids: object ids, uint8 [H, W].
      palette: colours of the ids, uint8 [256, 3]; that of PASCAL VOC by default.
      mark: texts to store with it.
    """
    image = Image.fromarray(ids)
    image.putpalette((voc_palette() if palette is None else palette).tobytes())
    with written_whole(path) as temporary:
        image.save(temporary, format="PNG", pnginfo=mark)


def object_ids(ids: np.ndarray) -> tuple[int, ...]:
    """Lists the objects in a mask, ascending: all values but 0 and 255."""
    return tuple(int(i) for i in np.flatnonzero(count_pixels(ids)))


def voc_palette() -> np.ndarray:
    """The PASCAL VOC colours, uint8 [256, 3].

    The bits of an id are dealt in turn to red, green and blue, each channel filled from its highest
    bit down.
    """
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1
    channels = [
        sum(bits[:, bit] << (7 - bit // 3) for bit in range(channel, 8, 3)) for channel in range(3)
    ]
    return np.stack(channels, axis=1).astype(np.uint8)


def explain_emptiness(ids: np.ndarray) -> str | None:
    """Says what is wrong with a first mask, uint8 [H, W], that shows no object."""
    if not object_ids(ids):
        if (ids == IGNORED).any():
            return (
                "expected at least one object, found only 0 and 255, which marks pixels to ignore; "
                "save the object as 1"
            )
        return (
            "expected at least one object, found an empty mask (only 0); draw the objects to "
            "follow with the ids 1, 2, ..."
        )
    return None


def explain_fullness(ids: np.ndarray) -> str | None:
    """Says that a first mask, uint8 [H, W], has no background, which is odd and no obstacle."""
    if not ids.all():
        return None
    return (
        f"expected background (0) around the objects, found none; if {ids[0, 0]}, the id of the "
        "corner, is the background, save it as 0"
    )


def explain_drawing(ids: np.ndarray, palette: np.ndarray | None) -> str | None:
    """Says why a drawn mask is not taken for ids: smoothed, grey levels, or another background.

    Args:
      ids: uint8 [H, W]; 255 marks pixels to ignore.
      palette: the file's own colours, uint8 [n, 3], None where it has none.
    """
    found = smoothed_ids(ids)
    if found:
        return (
            f"expected one id an object, found {len(found)} of {len(object_ids(ids))} ids on "
            "outlines alone, as anti-aliasing or compression leaves them; draw and resize masks "
            "without smoothing and save object ids as an indexed PNG (0 = background, 1, 2, ... = "
            "objects)"
        )
    return explain_grey_levels(ids, palette) or _explain_background(ids, palette)


def explain_grey_levels(ids: np.ndarray, palette: np.ndarray | None) -> str | None:
    """Says that a mask shows objects as grey levels up to white, which would be ignored.

    Ids of some 20 and less are ids, and 255 is to be ignored where it is an outline alone, or has a
    colour.

    Args:
      ids: uint8 [H, W].
      palette: the file's own colours, uint8 [n, 3], None where it has none.
    """
    counts = count_pixels(ids)
    used = np.flatnonzero(counts)
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
    is_coloured = np.ptp(palette[0]) > 0
    if not (is_coloured and black) and counts[other] <= counts[0]:
        return None
    if not black and not is_coloured:
        return None
    colour = ", ".join(map(str, palette[other]))
    return (
        f"expected the background at index 0, found the colour ({', '.join(map(str, palette[0]))}) "
        f"there, and ({colour}) at index {other}, which would count as an object; {_CONVERTER}"
    )


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
