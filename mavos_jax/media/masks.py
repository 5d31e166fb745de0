"""The one reader and writer of masks; it reads from a path or from bytes."""

import shlex
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from mavos_jax.config import IGNORED
from mavos_jax.media import pictures
from mavos_jax.media.ids import explain_drawing, explain_emptiness
from mavos_jax.media.pictures import Header, Size, Source, UnusablePicture
from mavos_jax.runtime.files import written_whole

_LOSSY_FORMATS = ("JPEG", "MPO", "JPEG2000", "WEBP", "AVIF")
_INTEGER_MODES = ("P", "L", "1", "I", "I;16", "I;16B", "I;16L", "I;16N", "F")

DEEP = 1 << 24  # what :func:`read_colours` adds to the values of pictures of more than 8 bits


class Values(NamedTuple):
    """The ids of a mask, uint8 [H, W]; its palette, uint8 [n, 3], where it is indexed."""

    ids: np.ndarray
    palette: np.ndarray | None


def read_mask(
    source: Source, size: Size | None = None, *, allow_empty: bool = False, is_drawn: bool = True
) -> Values:
    """Reads object ids, 0 for the background and 255 to ignore, and the palette of a mask.

    The palette, uint8 [256, 3], is the picture's own, filled up with the colours of PASCAL VOC.
    Raises ValueError as :func:`read_values`; for a mask without objects, unless they are not
    needed; and if ``is_drawn``, for what :func:`~mavos_jax.media.ids.explain_drawing` finds.
    """
    ids, own = read_values(source, size)
    fault = explain_drawing(ids, own) if is_drawn else None
    if fault is None and not allow_empty:
        fault = explain_emptiness(ids)
    if fault is not None:
        raise ValueError(f"{source}: {fault}")
    if own is None:
        return Values(ids, None)
    palette = voc_palette()
    palette[: len(own)] = own
    return Values(ids, palette)


def read_values(source: Source, size: Size | None = None, owner: str = "the frames") -> Values:
    """Decodes a mask to the values that are stored in it, upright as a frame.

    Indexed, grey and one-bit pictures hold ids, also of 16 or 32 bits or floats if all values fit
    uint8. Raises DamagedSample unless it can be read and has the ``size`` of its ``owner``, and
    UnusablePicture for colours, fractions, values beyond 255, or compression with loss.
    """
    with pictures.opened(source, "a mask") as (image, header):
        if size is not None:
            pictures.require_size(source, header.size, size, owner)
        _require_no_loss(source, header)
        if header.mode not in _INTEGER_MODES:
            raise UnusablePicture(
                f"{source}: expected object ids, found {header.kind} of mode {header.mode}, which "
                f"holds colours; {_renumber(source)}"
            )
        image = pictures.turn_upright(image, header)
        values = np.asarray(image)
        colours = image.getpalette("RGB") if image.mode == "P" else None
    _require_whole(source, values)
    if values.itemsize > 1 and (values.min() < 0 or values.max() > IGNORED):
        found = int(values.min() if values.min() < 0 else values.max())
        raise UnusablePicture(
            f"{source}: expected ids from 0 to 254 (and 255 to ignore), found {found}: more ids "
            f"than uint8 holds; {_renumber(source)}"
        )
    palette = np.asarray(colours, np.uint8).reshape(-1, 3) if colours else None
    return Values(values.astype(np.uint8), palette)


def read_colours(source: Source) -> np.ndarray:
    """Decodes a mask to numbers that tell its colours apart, int32 [H, W].

    They are 0xRRGGBB, -1 if transparent; or, if there are more than 8 bits, :data:`DEEP` plus the
    value. Raises ValueError as :func:`read_values`, and for pixels that are half transparent.
    """
    with pictures.opened(source, "a mask") as (image, header):
        _require_no_loss(source, header)
        image = pictures.turn_upright(image, header)
        if header.is_deep:
            values = np.asarray(image)
            _require_whole(source, values)
            values = values.astype(np.int64)
            if values.min() < 0 or values.max() >= DEEP:
                raise UnusablePicture(
                    f"{source}: expected values from 0 to {DEEP - 1}, found "
                    f"{values.min()} to {values.max()}; export the mask again"
                )
            return np.where(values > 0, DEEP + values, 0).astype(np.int32)
        pixels = np.asarray(image.convert("RGBA")).astype(np.int32)
    alpha = pixels[..., 3]
    if ((alpha > 0) & (alpha < 255)).any():
        raise UnusablePicture(
            f"{source}: expected opaque or transparent pixels, found some in between, as smoothing "
            "leaves them; export the mask without smoothing"
        )
    return np.where(alpha > 0, pixels[..., :3] @ np.array([1 << 16, 1 << 8, 1], np.int32), -1)


def _require_no_loss(source: Source, header: Header) -> None:
    if header.kind in _LOSSY_FORMATS:
        raise UnusablePicture(
            f"{source}: expected a mask stored without loss, found {header.kind}, which changes "
            "ids; save object ids as an indexed PNG (0 = background, 1, 2, ... = objects)"
        )


def _require_whole(source: Source, values: np.ndarray) -> None:
    if values.dtype.kind != "f":
        return
    is_odd = ~np.isfinite(values) | (values != np.trunc(values))
    if is_odd.any():
        raise UnusablePicture(
            f"{source}: expected ids as whole numbers, found {values[is_odd][0]:g}; scale the "
            "values to 0, 1, 2, ... and save them as an indexed PNG"
        )


def _renumber(source: Source) -> str:
    path = shlex.quote(str(source))
    return f"make ids of them: python -m mavos_jax.commands.masks --input {path} --output FOLDER"


def write_mask(
    path: Path, ids: np.ndarray, palette: np.ndarray | None = None, mark: PngInfo | None = None
) -> None:
    """Writes ids, uint8 [H, W], as an indexed PNG under its name only once it is whole."""
    image = Image.fromarray(ids)
    image.putpalette((voc_palette() if palette is None else palette).tobytes())
    with written_whole(path) as temporary:
        image.save(temporary, format="PNG", pnginfo=mark)


def voc_palette() -> np.ndarray:
    """The PASCAL VOC colours, uint8 [256, 3]: an id's bits in turn in red, green and blue."""
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1
    channels = [sum(bits[:, i] << (7 - i // 3) for i in range(first, 8, 3)) for first in range(3)]
    return np.stack(channels, axis=1).astype(np.uint8)
