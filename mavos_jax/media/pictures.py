"""Opening picture files, from a path or from bytes, and saying what is wrong with them."""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from PIL import ExifTags, Image

from mavos_jax.media.foreign_pictures import NUM_BYTES, describe_foreign
from mavos_jax.runtime.files import is_endless

# What Pillow warns of either does no harm, such as odd metadata, or is refused here.
warnings.filterwarnings("ignore", module=r"PIL\.")

_FORMATS = (
    *("JPEG", "PNG", "TIFF", "WEBP", "AVIF", "BMP", "DIB", "GIF", "JPEG2000"),
    *("PPM", "QOI", "TGA", "SGI", "PCX", "SUN"),
)
"""Formats of pictures. Pillow knows others, of documents and icons; for some it starts programs."""

_MAX_PIXELS = 2 * 4320 * 7680
"""Of a picture, twice those of an 8K frame; larger ones are damaged, or made to fill the memory."""

_MAX_WORDS = 200

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What turns a picture upright, by its EXIF orientation; from 5 on, height and width change."""

Size = tuple[int, int]
"""Height and width, in pixels."""


class DamagedSample(ValueError):  # noqa: N818 - the name says what is wrong
    """A frame or its mask cannot be used: missing, damaged, or of different sizes."""


class UnusablePicture(ValueError):  # noqa: N818 - the name says what is wrong
    """A picture is whole, but not of the kind that is wanted."""


class File(NamedTuple):
    """A file of a data set.

    Attributes:
      origin: the file, as messages call it.
      data: what is in it.
    """

    origin: str
    data: bytes

    def __str__(self) -> str:
        return self.origin


Source = Path | File


class Header(NamedTuple):
    """What a file says of its picture before the pixels.

    Attributes:
      size: height and width of the upright picture, in pixels.
      mode: Pillow's word for the kind of pixels.
      kind: Pillow's word for the file format.
      orientation: the EXIF orientation, 1 (upright as stored) to 8.
    """

    size: Size
    mode: str
    kind: str
    orientation: int


def read_header(source: Source, expected: str = "an image") -> Header:
    """Reads what a file says of its picture, no pixels.

    Args:
      source: a path, or the bytes of a file.
      expected: what it should be, for the message.

    Raises:
      DamagedSample: it is missing or no image.
      UnusablePicture: it holds several pictures, or one too large for any network.
    """
    with opened(source, expected) as (_, header):
        return header


def require_size(
    source: object, found: Size, expected: Size, owner: str, noun: str = "a mask"
) -> None:
    """Raises :class:`DamagedSample` unless a picture has the size that it must have.

    Args:
      source: the picture, as messages call it.
      found: its height and width, in pixels.
      expected: those that it must have.
      owner: whose they are, such as "the frames".
      noun: what it is.
    """
    if found != expected:
        raise DamagedSample(
            f"{source}: expected {noun} of {describe_size(expected)} as {owner}, found "
            f"{describe_size(found)}; {explain_size(found, expected)}"
        )


def explain_size(found: Size, expected: Size) -> str:
    """Says what to do with a picture of another size than expected."""
    if found == expected[::-1]:
        return (
            "height and width are swapped: one of them is shown turned by a quarter (EXIF "
            "orientation, or rotation of the video); draw it on the upright picture, as viewers "
            "show it"
        )
    return "draw it on the frame, or resize it with nearest neighbours"


def describe_size(size: Size) -> str:
    """Words for a height and a width."""
    return f"{size[0]} x {size[1]} (height x width)"


def turn_upright(image: Image.Image, header: Header) -> Image.Image:
    """Turns a stored picture as its EXIF orientation says."""
    method = _UPRIGHT.get(header.orientation)
    return image if method is None else image.transpose(method)


@contextlib.contextmanager
def opened(source: Source, expected: str) -> Iterator[tuple[Image.Image, Header]]:
    """Opens a picture; whatever Pillow raises in the block says what is wrong with the file.

    Args:
      source: a path, or the bytes of a file.
      expected: what it should be, for the message.

    Yields:
      The picture as it is stored, not decoded yet, and its header.

    Raises:
      DamagedSample: it is missing or no image, or it was damaged where the block decoded it.
      UnusablePicture: see :func:`read_header`.
    """
    try:
        file = source if isinstance(source, Path) else io.BytesIO(source.data)
        if isinstance(file, Path) and is_endless(file):
            raise DamagedSample(
                f"{source}: expected {expected} in a file, found a pipe or a device; save it to a "
                "file first"
            )
        with Image.open(file, formats=_FORMATS) as image:
            yield image, _header(source, image)
    except (DamagedSample, UnusablePicture):
        raise
    except Exception as error:  # damaged files raise nearly everything, also IndexError, TypeError
        found, advice = _explain(source, error)
        raise DamagedSample(
            f"{source}: expected {expected} that can be decoded, found: {found}; {advice}"
        ) from error


def _header(source: Source, image: Image.Image) -> Header:
    orientation = _orientation(image)
    size = (image.width, image.height) if orientation >= 5 else (image.height, image.width)
    if size[0] * size[1] > _MAX_PIXELS:
        raise UnusablePicture(
            f"{source}: expected a picture of at most {_MAX_PIXELS / 1e6:.0f} million pixels, "
            f"found {describe_size(size)}; resize it, or restore the file"
        )
    kind = image.format or ""
    number = 1 if kind == "MPO" else getattr(image, "n_frames", 1)  # MPO: a photo and previews
    if number > 1:
        raise UnusablePicture(
            f"{source}: expected one picture, found {number} in one file; write each into a file "
            "of its own: ffmpeg -i FILE FOLDER/%05d.png"
        )
    return Header(size, image.mode, kind, orientation)


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation that is still to be applied, 1 where the metadata cannot be read."""
    if image.format == "TIFF":  # Pillow applies it
        return 1
    if not image.info.keys() & {"exif", "Raw profile type exif", "xmp", "XML:com.adobe.xmp"}:
        return 1
    try:
        # That of PNG would decode the pixels to look for metadata behind them.
        found = Image.Image.getexif(image).get(ExifTags.Base.Orientation)
    except Exception:  # odd metadata are no reason to refuse the pixels
        return 1
    return found if isinstance(found, int) and found in _UPRIGHT else 1


def _explain(source: Source, error: Exception) -> tuple[str, str]:
    """Says what is wrong with a file, and what to do."""
    if isinstance(source, Path) and os.path.islink(source) and not source.exists():
        return f"a link to {os.readlink(source)}, which is not there", "restore the file"
    if isinstance(error, FileNotFoundError):
        return "no such file", "restore it, or correct its name"
    if isinstance(error, IsADirectoryError):
        return "a folder", "give a file"
    if isinstance(error, PermissionError):
        return "a file that may not be read", "change its permissions"
    if isinstance(error, Image.UnidentifiedImageError):
        return describe_foreign(_first_bytes(source))
    if isinstance(error, OSError) and error.strerror:
        return error.strerror, "restore the file"
    return " ".join(str(error).split())[:_MAX_WORDS] or type(error).__name__, "restore the file"


def _first_bytes(source: Source) -> bytes:
    if isinstance(source, File):
        return source.data[:NUM_BYTES]
    with source.open("rb") as file:
        return file.read(NUM_BYTES)
