"""Object masks as indexed PNG files: reading with checks, and writing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter
from PIL.PngImagePlugin import PngInfo

from mavos_jax.config import IGNORED
from mavos_jax.media.frames import DECODING_ERRORS, describe_size
from mavos_jax.media.ids import count_pixels
from mavos_jax.runtime.files import written_whole

_HINT = "save object ids as an indexed PNG (0 = background, 1, 2, ... = objects)"
_INTEGER_MODES = ("P", "L", "1", "I", "I;16", "I;16B", "I;16L", "I;16N")
_LOSSY_FORMATS = ("JPEG", "MPO", "JPEG2000", "WEBP")


def read_mask(
    path: Path, size: tuple[int, int], *, allow_empty: bool = False, is_drawn: bool = True
) -> tuple[np.ndarray, np.ndarray | None]:
    """Reads an indexed, grey or one-bit image whose pixel values are object ids.

    Args:
      path: the image.
      size: height and width that the mask must have, in pixels.
      allow_empty: whether a mask without any object is returned rather than refused.
      is_drawn: whether objects are to be followed from it, so that smoothed outlines, which are
        likely where people draw, are refused. What networks predict may look the same, and the
        truth is what it is.

    Returns:
      The ids, uint8 [H, W] with 0 the background and 255 pixels to ignore; and the image's own
      palette, uint8 [256, 3], or None if it has none.

    Raises:
      ValueError: the file is missing or damaged; it is in colour, compressed with loss or, if
        drawn, anti-aliased; it has another size, no object, or ids beyond 254.
    """
    values, palette = _open_ids(path)
    if values.shape != size:
        raise ValueError(
            f"{path}: expected a mask of {describe_size(size)} as the frames, found "
            f"{describe_size(values.shape)}; draw it on the frame, or resize it with nearest "
            "neighbours"
        )
    if values.min() < 0 or values.max() > IGNORED:
        found = values.min() if values.min() < 0 else values.max()
        raise ValueError(
            f"{path}: expected ids from 0 to 254 (and 255 to ignore), found {found}: more ids than "
            "uint8 holds; renumber the objects"
        )
    ids = values.astype(np.uint8)
    if is_drawn:
        _require_no_smoothing(path, ids)
    if not allow_empty:
        _require_objects(path, ids)
    return ids, palette


def read_mask_size(path: Path) -> tuple[int, int]:
    """Reads height and width, in pixels, from the header of a mask's file.

    Raises:
      ValueError: the file is missing or no image.
    """
    try:
        with Image.open(path) as image:
            return image.height, image.width
    except DECODING_ERRORS as error:
        found = "no such file" if not path.is_file() else "no image or a damaged one"
        raise ValueError(f"{path}: expected a mask, found {found}; {_HINT}") from error


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
    counts = np.bincount(ids.ravel(), minlength=256)
    return tuple(int(i) for i in np.flatnonzero(counts[:IGNORED]) if i)


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


def _open_ids(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """Decodes a file whose format can hold ids: their values [H, W], and the palette or None."""
    if not path.is_file():
        found = "a folder" if path.is_dir() else "no such file"
        raise ValueError(f"{path}: expected a mask, found {found}")
    try:
        with Image.open(path) as image:
            kind, mode = image.format, image.mode
            is_coloured = mode not in _INTEGER_MODES
            values = np.asarray(image.convert("RGB") if is_coloured else image)
            palette = _own_palette(image)
    except PermissionError as error:
        raise ValueError(
            f"{path}: expected a mask, found a file that may not be read; change its permissions"
        ) from error
    except DECODING_ERRORS as error:
        raise ValueError(
            f"{path}: expected a mask, found no image or a damaged one; {_HINT}"
        ) from error
    if kind in _LOSSY_FORMATS:
        raise ValueError(
            f"{path}: expected a mask stored without loss, found {kind}, which changes ids; {_HINT}"
        )
    if is_coloured:
        raise ValueError(
            f"{path}: expected object ids, found mode {mode} with {_count_colours(values)}; {_HINT}"
        )
    return values, palette


def _own_palette(image: Image.Image) -> np.ndarray | None:
    """The image's palette; colours that it lacks are those of PASCAL VOC."""
    colours = image.getpalette("RGB") if image.mode == "P" else None
    if not colours:
        return None
    palette = voc_palette()
    own = np.asarray(colours, np.uint8).reshape(-1, 3)
    palette[: len(own)] = own
    return palette


def _count_colours(pixels: np.ndarray) -> str:
    packed = pixels.reshape(-1, 3).astype(np.int32) @ np.asarray([65536, 256, 1])
    number = len(np.unique(packed))
    return f"{number} colour{'' if number == 1 else 's'}"


def _require_objects(path: Path, ids: np.ndarray) -> None:
    if object_ids(ids):
        return
    if (ids == IGNORED).any():
        raise ValueError(
            f"{path}: expected at least one object, found only 0 and 255, which marks pixels to "
            "ignore; save the object as 1"
        )
    raise ValueError(
        f"{path}: expected at least one object, found an empty mask (only 0); draw the objects to "
        "follow with the ids 1, 2, ..."
    )


def _require_no_smoothing(path: Path, ids: np.ndarray) -> None:
    found = smoothed_ids(ids)
    if found:
        raise ValueError(
            f"{path}: expected one id an object, found {len(found)} of {len(object_ids(ids))} ids "
            "on outlines alone, as anti-aliasing or compression leaves them; draw and resize masks "
            f"without smoothing and {_HINT}"
        )


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


def present_ids(values: np.ndarray) -> tuple[int, ...]:
    """Lists the objects in a mask, uint8 [H, W], ascending: all values but 0 and 255."""
    return tuple(int(i) for i in np.flatnonzero(count_pixels(values)))
