"""Frames of a video, decoded one at a time."""

import dataclasses
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from mavos_jax.media import folders
from mavos_jax.media.pictures import Size, read_frame_header, read_image, require_size
from mavos_jax.media.video_file import VideoFile
from mavos_jax.runtime.files import is_endless

_MOVING_SUFFIXES = (".gif", ".apng", ".webp", ".avif")


@runtime_checkable
class FrameSource(Protocol):
    """The frames of one video, uint8 RGB [H, W, 3]; every iteration decodes from the first on.

    It raises a ValueError that names file and frame for one that is damaged or of another size.
    """

    @property
    def origin(self) -> str:
        """The file or folder, for messages."""
        ...

    @property
    def size(self) -> Size:
        """Height and width of every frame, in pixels."""
        ...

    @property
    def num_frames(self) -> int | None:
        """The number of frames, None if only decoding tells."""
        ...

    @property
    def frame_rate(self) -> Fraction | None:
        """Frames per second, None if unknown."""
        ...

    def name(self, index: int) -> str:
        """The name, without suffix, of files made from frame ``index``."""
        ...

    def __iter__(self) -> Iterator[np.ndarray]: ...


@dataclasses.dataclass(frozen=True)
class ImageFolder:
    """The pictures of one folder, all of one size, upright, in natural order (2 before 10)."""

    files: tuple[Path, ...]
    size: Size
    notes: tuple[str, ...] = ()  # lines on what was done or left out
    frame_rate = None  # pictures carry no time

    @classmethod
    def open(cls, folder: Path) -> "ImageFolder":
        """Lists a folder's pictures and reads their headers; ValueError for none or unfit ones."""
        files = tuple(folder / name for name in folders.frames_by_stem(folder).values())
        if not files:
            found = folders.describe_folder(folder)
            raise ValueError(f"{folder}: expected frames (.jpg or .png), found none: {found}")
        headers = [read_frame_header(file) for file in files]
        first = headers[0].size
        for file, header in zip(files, headers, strict=True):
            require_size(file, header.size, first, files[0].name, is_frame=True)
        notes = [*folders.describe_unread([folder])]
        notes += folders.describe_series(file.name for file in files)
        if num_turned := sum(header.orientation != 1 for header in headers):
            notes.append(
                f"{folder}: {num_turned} of {len(files)} frames turned upright, as their EXIF "
                "orientation says"
            )
        return cls(files, first, tuple(notes))

    @property
    def origin(self) -> str:
        """The folder."""
        return str(self.files[0].parent)

    @property
    def num_frames(self) -> int:
        """The number of pictures."""
        return len(self.files)

    @property
    def names(self) -> tuple[str, ...]:
        """The file names of all frames, without suffix."""
        return tuple(file.stem for file in self.files)

    def name(self, index: int) -> str:
        """The picture's file name without its suffix."""
        return self.files[index].stem

    def starting_at(self, index: int) -> "ImageFolder":
        """The same folder without its first ``index`` frames."""
        return dataclasses.replace(self, files=self.files[index:])

    def __iter__(self) -> Iterator[np.ndarray]:
        for file in self.files:
            yield read_image(file, self.size)


def open_frames(path: Path | str) -> ImageFolder | VideoFile:
    """Opens a folder of images, or a video file that PyAV decodes; names faults that show early."""
    path = Path(path)
    if path.is_dir():
        return ImageFolder.open(path)
    suffix = path.suffix.lower()
    found = None
    if not path.exists():
        found = "nothing"
    elif is_endless(path):
        found = "a pipe or a device; save the video to a file first"
    elif suffix in folders.IMAGE_SUFFIXES and suffix not in _MOVING_SUFFIXES:
        found = f"one image; give its folder, {path.parent}"
    if found is not None:
        raise ValueError(f"{path}: expected a video file or a folder of frames, found {found}")
    return VideoFile.open(path)
