"""Data sets whose frames and masks are files in folders."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from mavos_jax.media.folders import describe_unread
from mavos_jax.media.pictures import DamagedSample, File
from mavos_jax.media.samples import EncodedVideo, Form, Labels
from mavos_jax.runtime.checksums import short_hash
from mavos_jax.runtime.files import is_endless

SIZES = "."
"""What the sizes of files begin with in a fingerprint."""


class SequenceFiles(NamedTuple):
    """Where the files of one video lie.

    Attributes:
      name: of the sequence, unique in its set.
      frame_folder: the folder of its images, relative to the set's root.
      mask_folder: the folder of its masks, relative to the set's root.
      frames: file names of the images, in order.
      masks: file names of the masks, one for each image.
      ids: objects to keep, others become background; all where None.
      num_left_out: images in the folder that have no mask and are left out.
    """

    name: str
    frame_folder: str
    mask_folder: str
    frames: tuple[str, ...]
    masks: tuple[str, ...]
    ids: tuple[int, ...] | None = None
    num_left_out: int = 0


class VideoSummary(NamedTuple):
    """What a fingerprint takes from one video.

    Attributes:
      name: of the sequence.
      frames: file names of the images.
      frame_sizes: bytes of each, -1 where there is no file.
      mask_sizes: bytes of each mask, -1 where there is no file.
      ids: see :class:`SequenceFiles`.
    """

    name: str
    frames: tuple[str, ...]
    frame_sizes: tuple[int, ...]
    mask_sizes: tuple[int, ...]
    ids: tuple[int, ...] | None


@dataclasses.dataclass(frozen=True)
class FrameFiles:
    """The files of one sequence.

    Attributes:
      root: of the set.
      sequence: where they lie.
    """

    root: str
    sequence: SequenceFiles

    def __len__(self) -> int:
        return len(self.sequence.frames)

    def frame_path(self, index: int) -> Path:
        """The image of a frame."""
        return Path(self.root, self.sequence.frame_folder, self.sequence.frames[index])

    def mask_path(self, index: int) -> Path:
        """The mask of a frame."""
        return Path(self.root, self.sequence.mask_folder, self.sequence.masks[index])

    def frame(self, index: int) -> File:
        """Reads the image of a frame; raises :class:`DamagedSample` where there is none."""
        return _read(self.frame_path(index), f"the frame of {self.mask_path(index)}")

    def mask(self, index: int) -> File:
        """Reads the mask of a frame; raises :class:`DamagedSample` where there is none."""
        return _read(self.mask_path(index), f"the mask of {self.frame_path(index)}")

    def summary(self) -> VideoSummary:
        """Names and sizes of the files."""
        indices = range(len(self))
        return VideoSummary(
            self.sequence.name,
            self.sequence.frames,
            tuple(_num_bytes(self.frame_path(i)) for i in indices),
            tuple(_num_bytes(self.mask_path(i)) for i in indices),
            self.sequence.ids,
        )


@dataclasses.dataclass(eq=False)
class FileSet:
    """Sequences below one root.

    Attributes:
      name: the kind and the split.
      root: the folder that the sequences' folders are relative to.
      sequences: in the order of their indices.
      form: what the masks' values mean, see :class:`~mavos_jax.media.samples.Labels`.
      max_gap: largest distance between two neighbouring frames of a clip.
      is_static: whether its videos are single images.
      num_left_out: videos, or images, that the set's rules leave out.
    """

    name: str
    root: str
    sequences: tuple[SequenceFiles, ...]
    form: Form
    max_gap: int
    is_static: bool = False
    num_left_out: int = 0

    def __len__(self) -> int:
        return len(self.sequences)

    def __getitem__(self, index: int) -> EncodedVideo:
        sequence = self.sequences[index]
        labels = Labels(self.form, sequence.ids)
        return EncodedVideo(f"{self.name}: {sequence.name}", self.files(index), labels)

    def files(self, index: int) -> FrameFiles:
        """The files of one video."""
        return FrameFiles(self.root, self.sequences[index])

    @property
    def notes(self) -> tuple[str, ...]:
        """What is left out of the folders of frames, for the user to know."""
        folders = dict.fromkeys(sequence.frame_folder for sequence in self.sequences)
        return describe_unread(Path(self.root, folder) for folder in folders)

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
