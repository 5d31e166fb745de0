"""Training's view of a data set: the sequences that have two masks or more."""

import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from mavos_jax.datasets.sequences import SequenceFiles
from mavos_jax.media.folders import describe_unread
from mavos_jax.media.samples import EncodedVideo, Form, Labels
from mavos_jax.runtime.files import short_hash

SIZES = "."  # what the sizes of files begin with in a fingerprint


class VideoSummary(NamedTuple):
    """What a fingerprint takes from one video."""

    name: str
    frames: tuple[str, ...]  # file names of its images
    frame_sizes: tuple[int, ...]  # in bytes, -1 for a missing file
    mask_sizes: tuple[int, ...]
    ids: tuple[int, ...] | None  # the objects to keep, None for all

    @classmethod
    def of(cls, sequence: SequenceFiles) -> "VideoSummary":
        """The summary of a video that is laid out as files."""
        return cls(
            name=sequence.name,
            frames=tuple(path.name for path in sequence.frames),
            frame_sizes=tuple(map(_num_bytes, sequence.frames)),
            mask_sizes=tuple(_num_bytes(sequence.mask_path(i)) for i in range(len(sequence))),
            ids=kept_ids(sequence),
        )


@dataclasses.dataclass(eq=False)
class FileSet:
    """A data set to train on, laid out as files; see :class:`~mavos_jax.media.samples.VideoSet`."""

    name: str
    sequences: tuple[SequenceFiles, ...]
    form: Form
    max_gap: int
    is_static: bool = False
    num_left_out: int = 0

    def __len__(self) -> int:
        return len(self.sequences)

    def __getitem__(self, index: int) -> EncodedVideo:
        sequence = self.sequences[index]
        labels = Labels(self.form, kept_ids(sequence))
        return EncodedVideo(f"{self.name}: {sequence.name}", sequence, labels)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is left out of the folders of frames."""
        return describe_unread(dict.fromkeys(s.frames[0].parent for s in self.sequences))

    def fingerprint(self) -> str:
        """A short hash of the names and sizes of all files, also that of records of them."""
        return fingerprint_of(self.form, map(VideoSummary.of, self.sequences))


def kept_ids(sequence: SequenceFiles) -> tuple[int, ...] | None:
    """The objects of a video to train on, which metadata list; None for all."""
    return tuple(sequence.spans) or None


def fingerprint_of(form: Form, videos: Iterable[VideoSummary]) -> str:
    """Hashes names and form; then, behind :data:`SIZES`, the sizes, which show repaired files."""
    videos = list(videos)
    names = short_hash([form, *(f"{(v.name, v.frames, v.ids)!r}\n" for v in videos)])
    sizes = short_hash(f"{(v.frame_sizes, v.mask_sizes)!r}\n" for v in videos)
    return f"{names}{SIZES}{sizes}"


def _num_bytes(path: Path) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return -1
