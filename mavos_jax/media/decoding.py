"""The one reader of frames and of masks, from a path or from bytes."""

from __future__ import annotations

import shlex
from typing import NamedTuple

import numpy as np

from mavos_jax.config import IGNORED
from mavos_jax.media.pictures import (
    Header,
    Size,
    Source,
    UnusablePicture,
    opened,
    require_size,
    turn_upright,
)

_LOSSY_FORMATS = ("JPEG", "MPO", "JPEG2000", "WEBP", "AVIF")
_INTEGER_MODES = ("P", "L", "1", "I", "I;16", "I;16B", "I;16L", "I;16N", "F")
_DEEP_MODES = ("I", "F")

DEEP = 1 << 24
"""What :func:`read_colours` adds to the values of pictures of more than 8 bits."""
_MOST_LEVELS = DEEP - 1


class Values(NamedTuple):
    """The pixels of a mask.

    Attributes:
      ids: what is stored, uint8 [H, W].
      palette: the colours of an indexed picture, uint8 [n, 3]; None for others.
    """

    ids: np.ndarray
    palette: np.ndarray | None


def read_frame_header(source: Source) -> Header:
    """Reads what a file says of a frame, see :func:`~mavos_jax.media.pictures.read_header`.

    Raises:
      UnusablePicture: also if it has more than 8 bits a channel.
    """
    with opened(source, "an image") as (_, header):
        _require_eight_bits(source, header)
        return header


def read_image(source: Source, size: Size | None = None) -> np.ndarray:
    """Decodes a frame to uint8 RGB [H, W, 3], upright as its EXIF orientation says.

    Grey, palette and alpha images become RGB.

    Args:
      source: a path, or the bytes of a file.
      size: height and width that it must have, in pixels; any by default.

    Raises:
      DamagedSample: it is missing, no image, cut off or damaged, or has another size.
      UnusablePicture: see :func:`read_frame_header`.
    """
    with opened(source, "an image") as (image, header):
        _require_eight_bits(source, header)
        if size is not None:
            require_size(source, header.size, size, "the first frame", "a frame")
        image = turn_upright(image, header)
        # Pillow drops a palette's byte-wise transparency with a warning unless it is asked for.
        if image.mode == "P" and "transparency" in image.info:
            image = image.convert("RGBA")
        return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def read_values(source: Source, size: Size | None = None, owner: str = "the frames") -> Values:
    """Decodes a mask to the values that are stored in it, upright as a frame.

    Indexed, grey and one-bit pictures hold ids, also of 16 or 32 bits where all values fit uint8,
    and floats that are whole.

    Args:
      source: a path, or the bytes of a file.
      size: height and width that it must have, in pixels, which are compared before any pixel is
        decoded; any by default.
      owner: whose size that is, for the message.

    Raises:
      DamagedSample: it is missing, no image, cut off or damaged, or has another size.
      UnusablePicture: see :func:`~mavos_jax.media.pictures.read_header`; or it holds colours,
        fractions or values beyond 255, or is compressed with loss.
    """
    with opened(source, "a mask") as (image, header):
        if size is not None:
            require_size(source, header.size, size, owner)
        _require_no_loss(source, header)
        if header.mode not in _INTEGER_MODES:
            raise UnusablePicture(
                f"{source}: expected object ids, found {header.kind} of mode {header.mode}, which "
                f"holds colours; {_renumber(source)}"
            )
        image = turn_upright(image, header)
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
    """Decodes a mask to numbers that tell its colours apart, whatever its kind.

    Returns:
      int32 [H, W]: red, green and blue as 0xRRGGBB, what is transparent as 0; or, for pictures of
      more than 8 bits, 0x1000000 and the value.

    Raises:
      DamagedSample: it is missing, no image, cut off or damaged.
      UnusablePicture: see :func:`~mavos_jax.media.pictures.read_header`; or it is compressed with
        loss, has half-transparent pixels, fractions or values beyond 24 bits.
    """
    with opened(source, "a mask") as (image, header):
        _require_no_loss(source, header)
        image = turn_upright(image, header)
        if header.mode.startswith(_DEEP_MODES):
            values = np.asarray(image)
            _require_whole(source, values)
            values = values.astype(np.int64)
            if values.min() < 0 or values.max() > _MOST_LEVELS:
                raise UnusablePicture(
                    f"{source}: expected values from 0 to {_MOST_LEVELS}, found "
                    f"{values.min()} to {values.max()}; export the mask anew"
                )
            return np.where(values > 0, DEEP + values, 0).astype(np.int32)
        pixels = np.asarray(image.convert("RGBA")).astype(np.int32)
    alpha = pixels[..., 3]
    if ((alpha > 0) & (alpha < 255)).any():
        raise UnusablePicture(
            f"{source}: expected pixels that are opaque or transparent, found some between, as "
            "smoothing leaves them; export the mask without smoothing"
        )
    return np.where(alpha > 0, pixels[..., :3] @ np.array([1 << 16, 1 << 8, 1], np.int32), 0)


def _require_no_loss(source: Source, header: Header) -> None:
    if header.kind in _LOSSY_FORMATS:
        raise UnusablePicture(
            f"{source}: expected a mask stored without loss, found {header.kind}, which changes "
            "ids; save object ids as an indexed PNG (0 = background, 1, 2, ... = objects)"
        )


def _require_whole(source: Source, values: np.ndarray) -> None:
    """Raises :class:`UnusablePicture` if floats are fractions, NaN or infinite."""
    if values.dtype.kind != "f":
        return
    is_odd = ~np.isfinite(values) | (values != np.trunc(values))
    if is_odd.any():
        raise UnusablePicture(
            f"{source}: expected ids as whole numbers, found {values[is_odd][0]:g}; scale the "
            "values to 0, 1, 2, ... and save them as an indexed PNG"
        )


def _require_eight_bits(source: Source, header: Header) -> None:
    """Raises :class:`UnusablePicture` if a frame's pixels have more than 8 bits a channel."""
    if header.mode.startswith(_DEEP_MODES):
        raise UnusablePicture(
            f"{source}: expected 8 bits a channel, found mode {header.mode}; convert the frames to "
            "8 bits"
        )


def _renumber(source: Source) -> str:
    path = shlex.quote(str(source))
    return f"make ids of them: python -m mavos_jax.commands.masks --input {path} --output FOLDER"
