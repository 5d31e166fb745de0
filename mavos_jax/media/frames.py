"""Frames of a video, decoded one at a time."""

from __future__ import annotations

import dataclasses
import re
import struct
import zlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from PIL import Image

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")

DECODING_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
"""What Pillow raises for files that are damaged or no images."""

_DEEP_MODES = ("I", "F")


@runtime_checkable
class FrameSource(Protocol):
    """The frames of one video; every iteration starts at the first and decodes as it goes.

    Iterating yields uint8 RGB frames [H, W, 3] and raises a ``ValueError`` that names the file and
    the frame where one cannot be decoded or has another size.
    """

    @property
    def origin(self) -> str:
        """The file or folder, as messages call it."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of every frame, in pixels."""
        ...

    @property
    def num_frames(self) -> int | None:
        """The number of frames, None where only decoding would tell."""
        ...

    @property
    def frame_rate(self) -> Fraction | None:
        """Frames a second, None where nothing tells."""
        ...

    def name(self, index: int) -> str:
        """The name, without suffix, that files made from frame ``index`` get."""
        ...

    def __iter__(self) -> Iterator[np.ndarray]: ...


@dataclasses.dataclass(frozen=True)
class ImageFolder:
    """Frames that are the images of one folder, in natural order of their names (2 before 10).

    Pixels are taken as they are stored: an EXIF orientation is ignored on purpose, because masks
    are drawn on, and compared with, the stored pixels. Grey, palette and alpha images become RGB.

    Attributes:
      files: the images, all of one size.
      size: their height and width, in pixels.
    """

    files: tuple[Path, ...]
    size: tuple[int, int]

    @classmethod
    def open(cls, folder: Path) -> ImageFolder:
        """Lists the .jpg, .jpeg and .png files of ``folder`` and reads their headers.

        Raises:
          ValueError: there is no image, one is unreadable or deeper than 8 bits, their sizes
            differ, or two have the same name but for the suffix.
        """
        files = list_images(folder)
        if not files:
            raise ValueError(f"{folder}: expected frames (.jpg or .png), found none")
        first_size = header_size(files[0])
        stems: dict[str, Path] = {}
        for file in files:
            if file.stem in stems:
                raise ValueError(
                    f"{file}: expected one image for each frame name, found also "
                    f"{stems[file.stem].name}; remove one of them"
                )
            stems[file.stem] = file
            size = header_size(file)
            if size != first_size:
                raise ValueError(
                    f"{file}: expected {describe_size(first_size)} as {files[0].name}, found "
                    f"{describe_size(size)}; all frames must have one size"
                )
        return cls(tuple(files), first_size)

    @property
    def origin(self) -> str:
        """The folder."""
        return str(self.files[0].parent)

    @property
    def num_frames(self) -> int:
        """The number of images."""
        return len(self.files)

    @property
    def frame_rate(self) -> None:
        """Unknown: images carry no time."""
        return None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all frames, without suffix."""
        return tuple(file.stem for file in self.files)

    def name(self, index: int) -> str:
        """The image's file name without its suffix."""
        return self.files[index].stem

    def starting_at(self, index: int) -> ImageFolder:
        """The same folder without its first ``index`` frames."""
        return dataclasses.replace(self, files=self.files[index:])

    def __iter__(self) -> Iterator[np.ndarray]:
        for file in self.files:
            yield read_image(file)


def list_images(folder: Path, suffixes: tuple[str, ...] = IMAGE_SUFFIXES) -> list[Path]:
    """Lists the visible image files of a folder in natural order of their names."""
    files = [
        file
        for file in folder.iterdir()
        if file.suffix.lower() in suffixes and not file.name.startswith(".") and file.is_file()
    ]
    return sorted(files, key=lambda file: natural_order(file.name))


def natural_order(name: str) -> tuple[list[tuple[bool, int, str]], str]:
    """A sorting key that compares the numbers in names by value, so that 2 comes before 10."""
    parts = re.split(r"([0-9]+)", name.lower())
    keys = [(p.isascii() and p.isdigit(), int(p) if i % 2 else 0, p) for i, p in enumerate(parts)]
    return [key for key in keys if key[2]], name


def read_image(file: Path) -> np.ndarray:
    """Decodes one image to uint8 RGB [H, W, 3], as stored (no EXIF rotation).

    Raises:
      ValueError: the file is no image, is cut off or damaged.
    """
    try:
        with Image.open(file) as image:
            return to_rgb(image)
    except DECODING_ERRORS as error:
        raise ValueError(_undecodable(file, error)) from error


def to_rgb(image: Image.Image) -> np.ndarray:
    """Decodes an open image to uint8 RGB [H, W, 3]; raises one of :data:`DECODING_ERRORS`."""
    # Pillow drops a palette's byte-wise transparency with a warning unless it is asked for.
    is_keyed = image.mode == "P" and "transparency" in image.info
    return np.asarray((image.convert("RGBA") if is_keyed else image).convert("RGB"))


def require_eight_bits(origin: str, mode: str) -> None:
    """Raises ValueError, about ``origin``, if pixels of Pillow's mode are deeper."""
    if mode.startswith(_DEEP_MODES):
        raise ValueError(
            f"{origin}: expected 8 bits a channel, found mode {mode}; convert the frames to 8 bits"
        )


def describe_damage(error: Exception) -> str:
    """Words for one of :data:`DECODING_ERRORS`."""
    is_unknown = isinstance(error, Image.UnidentifiedImageError)
    return "no known image format" if is_unknown else str(error) or type(error).__name__


def describe_size(size: tuple[int, int]) -> str:
    """Words for a height and a width."""
    return f"{size[0]} x {size[1]} (height x width)"


def header_size(file: Path) -> tuple[int, int]:
    """Reads height and width, in pixels, from the header of an image.

    Raises:
      ValueError: the file is no image, or has more than 8 bits a channel.
    """
    try:
        with Image.open(file) as image:
            size, mode = (image.height, image.width), image.mode
    except DECODING_ERRORS as error:
        raise ValueError(_undecodable(file, error)) from error
    require_eight_bits(str(file), mode)
    return size


def _undecodable(file: Path, error: Exception) -> str:
    return (
        f"{file}: expected an image that can be decoded, found: {describe_damage(error)}; "
        "restore the file, or remove it and the frames after it"
    )
