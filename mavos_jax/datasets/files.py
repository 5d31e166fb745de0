"""Training's view of a data set: the sequences that have two masks or more."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from mavos_jax.datasets.sequences import SequenceFiles
from mavos_jax.media.folders import describe_unread
from mavos_jax.media.pictures import DamagedSample, File
from mavos_jax.media.samples import EncodedVideo, Form, Labels
from mavos_jax.runtime.checksums import short_hash
from mavos_jax.runtime.files import is_endless

SIZES = "."
"""What the sizes of files begin with in a fingerprint."""


class VideoSummary(NamedTuple):
    """What a fingerprint takes from one video: file names of its images, and bytes of its files.

    A file that is not there has -1 bytes. ``ids`` are the objects to keep, None for all.
    """

    name: str
    frames: tuple[str, ...]
    frame_sizes: tuple[int, ...]
    mask_sizes: tuple[int, ...]
    ids: tuple[int, ...] | None


@dataclasses.dataclass(frozen=True)
class FrameFiles:
    """The files of one training video, read on demand."""

    sequence: SequenceFiles

    def __len__(self) -> int:
        return len(self.sequence.frames)

    @property
    def ids(self) -> tuple[int, ...] | None:
        """The objects to keep; None for all."""
        return tuple(self.sequence.spans) or None

    def frame_path(self, index: int) -> Path:
        """The image of a frame."""
        return self.sequence.frames[index]

    def mask_path(self, index: int) -> Path:
        """The mask of a frame, also where there is none."""
        truth = self.sequence.truth
        if index in truth:
            return truth[index]
        return next(iter(truth.values())).with_name(f"{self.sequence.frame_name(index)}.png")

    def frame(self, index: int) -> File:
        """Reads the image of a frame; raises :class:`DamagedSample` where there is none."""
        return _read(self.sequence.frames[index], f"the frame of {self.mask_path(index)}")

    def mask(self, index: int) -> File:
        """Reads the mask of a frame; raises :class:`DamagedSample` where there is none."""
        return _read(self.mask_path(index), f"the mask of {self.sequence.frames[index]}")

    def summary(self) -> VideoSummary:
        """Names and sizes of the files."""
        frames = self.sequence.frames
        return VideoSummary(
            self.sequence.name,
            tuple(path.name for path in frames),
            tuple(map(_num_bytes, frames)),
            tuple(_num_bytes(self.mask_path(index)) for index in range(len(frames))),
            self.ids,
        )


@dataclasses.dataclass(eq=False)
class FileSet:
    """A data set to train on, laid out as files; see :class:`~mavos_jax.media.samples.VideoSet`.

    Attributes:
      name: the kind and the split.
      form: what the masks' values mean.
      num_left_out: videos, or images, that the set's rules leave out.
    """

    name: str
    sequences: tuple[SequenceFiles, ...]
    form: Form
    max_gap: int
    is_static: bool = False
    num_left_out: int = 0

    def __len__(self) -> int:
        return len(self.sequences)

    def __getitem__(self, index: int) -> EncodedVideo:
        files = self.files(index)
        name = f"{self.name}: {files.sequence.name}"
        return EncodedVideo(name, files, Labels(self.form, files.ids))

    def files(self, index: int) -> FrameFiles:
        """The files of one video."""
        return FrameFiles(self.sequences[index])

    @property
    def notes(self) -> tuple[str, ...]:
        """What is left out of the folders of frames, for the user to know."""
        return describe_unread(dict.fromkeys(s.frames[0].parent for s in self.sequences))

    def fingerprint(self) -> str:
        """A short hash of the names and sizes of all files; that of the records made from them."""
        return fingerprint_of(self.form, (self.files(i).summary() for i in range(len(self))))


def fingerprint_of(form: Form, videos: Iterable[VideoSummary]) -> str:
    """Hashes names and what the masks' values mean, and sizes by themselves.

    Returns:
      16 hexadecimal digits, :data:`SIZES`, and 16 more, in which a file that was repaired shows.
    """
    videos = list(videos)
    names = short_hash([form, *(f"{(v.name, v.frames, v.ids)!r}\n" for v in videos)])
    sizes = short_hash(f"{(v.frame_sizes, v.mask_sizes)!r}\n" for v in videos)
    return f"{names}{SIZES}{sizes}"


def _read(path: Path, purpose: str) -> File:
    try:
        if is_endless(path):
            raise DamagedSample(f"{path}: expected {purpose}, found a pipe or a device")
        return File(str(path), path.read_bytes())
    except FileNotFoundError as error:
        raise DamagedSample(f"{path}: expected {purpose}, found no such file") from error
    except OSError as error:
        raise DamagedSample(f"{path}: expected {purpose}, found: {error.strerror}") from error


def _num_bytes(path: Path) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return -1
