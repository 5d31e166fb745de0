"""The one reader of pictures, from a path or from bytes, and why it refuses some."""

import contextlib
import errno
import io
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import ExifTags, Image

from mavos_jax.runtime.files import is_endless

# What Pillow warns about is either harmless, such as odd metadata, or refused here.
warnings.filterwarnings("ignore", module=r"PIL\.")

_FORMATS = (  # Pillow also opens documents and icons; for some of those it starts programs
    *("JPEG", "PNG", "TIFF", "WEBP", "AVIF", "BMP", "DIB", "GIF", "JPEG2000"),
    *("PPM", "QOI", "TGA", "SGI", "PCX", "SUN"),
)
EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)  # say nothing about a file
_DEEP_MODES = ("I", "F")  # what the modes of pictures with more than 8 bits per channel begin with
_MAX_PIXELS = 2 * 4320 * 7680  # twice an 8K frame; larger pictures are damaged or malicious
_MAX_LETTERS = 200
_UPRIGHT = {  # by a picture's EXIF orientation; 5 and above swap height and width
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_EXPORT, _CONVERT = "export it as PNG", "convert it to PNG or JPEG"
_FOREIGN = (
    (0, b"8BPS", "a Photoshop document", _EXPORT),
    (0, b"gimp xcf", "a GIMP document", _EXPORT),
    (0, b"%PDF", "a PDF", _EXPORT),
    (0, b"\x93NUMPY", "a NumPy array", "save it as an indexed PNG"),
    (0, b"\x76\x2f\x31\x01", "an OpenEXR picture", _CONVERT),
    (0, b"\xff\x0a", "a JPEG XL picture", _CONVERT),
    (0, b"\0\0\0\x0cJXL ", "a JPEG XL picture", _CONVERT),
    (4, b"ftyphe", "a HEIC photo", _CONVERT),
    (4, b"ftypmif1", "a HEIC photo", _CONVERT),
    (4, b"ftyp", "a video", "take one of its frames"),
    (0, b"\x1a\x45\xdf\xa3", "a video", "take one of its frames"),
    (0, b"PK\x03\x04", "a zip archive", "unpack it"),
    (0, b"version https://git-lfs", "a Git LFS pointer", "fetch the file itself: git lfs pull"),
    (0, b"<svg", "an SVG drawing", _EXPORT),
    (0, b"<?xml", "an XML text, such as a drawing or annotations", _EXPORT),
    (0, b"<", "a web page", "download the file again"),
    (0, b"{", "a JSON text, such as annotations", "draw its shapes into a PNG"),
    (0, b"[", "a JSON text, such as annotations", "draw its shapes into a PNG"),
)
"""What people have instead of a picture: where its mark is, the mark, its name, and a way out."""

_NUM_FIRST_BYTES = 32

Size = tuple[int, int]  # height and width, in pixels


class DamagedSample(ValueError):  # noqa: N818 - the name says what is wrong
    """A frame or its mask cannot be used: missing, damaged, or of different sizes."""


class UnusablePicture(ValueError):  # noqa: N818 - the name says what is wrong
    """A picture is whole, but of another kind than expected."""


class File(NamedTuple):
    """A file of a data set: its name for messages, and its content."""

    origin: str
    data: bytes

    def __str__(self) -> str:
        return self.origin


Source = Path | File | str


class Header(NamedTuple):
    """What a file says about its picture: upright size, Pillow's mode and format, EXIF's 1 to 8."""

    size: Size
    mode: str
    kind: str
    orientation: int

    @property
    def is_deep(self) -> bool:
        """Whether the pixels have more than 8 bits per channel."""
        return self.mode.startswith(_DEEP_MODES)


def read_header(source: Source, expected: str = "an image") -> Header:
    """Reads what a file says about its picture, but no pixels; messages name the ``expected``."""
    with opened(source, expected) as (_, header):
        return header


def read_frame_header(source: Source) -> Header:
    """Reads a frame's header as :func:`read_header` does; more than 8 bits are unusable."""
    with opened(source, "an image") as (_, header):
        _require_eight_bits(source, header)
        return header


def read_image(source: Source, size: Size | None = None) -> np.ndarray:
    """Decodes a frame to uint8 RGB [H, W, 3], upright; sizes are compared before that."""
    with opened(source, "an image") as (image, header):
        _require_eight_bits(source, header)
        if size is not None:
            require_size(source, header.size, size, "the first frame", is_frame=True)
        image = turn_upright(image, header)
        # Pillow drops a palette's byte-wise transparency with a warning unless it is asked for.
        if image.mode == "P" and "transparency" in image.info:
            image = image.convert("RGBA")
        return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _require_eight_bits(source: Source, header: Header) -> None:
    if header.is_deep:
        raise UnusablePicture(
            f"{source}: expected 8 bits a channel, found mode {header.mode}; convert the frames to "
            "8 bits"
        )


def require_size(
    source: object, found: Size, expected: Size, owner: str, *, is_frame: bool = False
) -> None:
    """Raises :class:`DamagedSample` unless a picture has the size of ``owner``."""
    if found != expected:
        noun = "a frame" if is_frame else "a mask"
        advice = "all frames must have one size" if is_frame else explain_size(found, expected)
        raise DamagedSample(
            f"{source}: expected {noun} of {describe_size(expected)} as {owner}, found "
            f"{describe_size(found)}; {advice}"
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
    """Words for a height and width."""
    return f"{size[0]} x {size[1]} (height x width)"


def turn_upright(image: Image.Image, header: Header) -> Image.Image:
    """Turns a stored picture as its EXIF orientation says."""
    method = _UPRIGHT.get(header.orientation)
    return image if method is None else image.transpose(method)


@contextlib.contextmanager
def opened(source: Source, expected: str) -> Iterator[tuple[Image.Image, Header]]:
    """Opens a picture; what Pillow raises in the block becomes a :class:`DamagedSample`."""
    try:
        file = io.BytesIO(source.data) if isinstance(source, File) else Path(source)
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
        if isinstance(error, OSError) and error.errno in EXHAUSTED:
            raise
        found, advice = _describe_damage(source, error)
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
    """The EXIF orientation still to be applied, 1 where the metadata cannot be read."""
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


def _describe_damage(source: Source, error: Exception) -> tuple[str, str]:
    if isinstance(source, Path) and os.path.islink(source) and not source.exists():
        return f"a link to {os.readlink(source)}, which is not there", "restore the file"
    match error:
        case FileNotFoundError():
            return "no such file", "restore it, or correct its name"
        case IsADirectoryError():
            return "a folder", "give a file"
        case PermissionError():
            return "a file that may not be read", "change its permissions"
        case Image.UnidentifiedImageError():
            return _describe_foreign(source)
        case OSError(strerror=str(reason)):
            return reason, "restore the file"
    return " ".join(str(error).split())[:_MAX_LETTERS] or type(error).__name__, "restore the file"


def _describe_foreign(source: Source) -> tuple[str, str]:
    if isinstance(source, File):
        head = source.data[:_NUM_FIRST_BYTES]
    else:
        with open(source, "rb") as file:
            head = file.read(_NUM_FIRST_BYTES)
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    for start, mark, found, advice in _FOREIGN:
        if head.startswith(mark, start) or (start == 0 and text.startswith(mark)):
            return found, advice
    return "no known image format", "restore the file"
