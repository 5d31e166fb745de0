"""What every benchmark looks like to inference and to scorers: sequences of files, and rules."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_args

Dataset = Literal[
    "davis2016",
    "davis2017",
    "youtube_vos2018",
    "youtube_vos2019",
    "lvos1",
    "lvos2",
    "long_time_video",
    "mose",
    "folder",
]
DATASETS: tuple[Dataset, ...] = get_args(Dataset)

Resolution = Literal["480p", "full", "full_to_480p"]
"""Of DAVIS: what is read, or full frames whose masks are wanted at a height of 480."""


@dataclasses.dataclass(frozen=True)
class GivenMask:
    """An annotation that segmentation starts from.

    Attributes:
      path: an indexed PNG.
      ids: the objects to take from it, those that are new there; None takes all of them.
    """

    path: Path
    ids: tuple[int, ...] | None = None


@dataclasses.dataclass(frozen=True)
class BenchmarkSequence:
    """The files of one video. Frames are counted from the first with a given mask.

    Attributes:
      name: in lists, folders of results, and tables.
      frames: its images, in order, from the one of the first given mask on.
      given: annotations to start from by frame; 0 is there.
      truth: annotations to score against by frame, the given ones among them; empty where the
        labels are not public.
      saved: frames whose masks make up a result, ascending.
      spans: for sets in which objects have a life span, the frames of each, by its id.
      categories: for sets that score categories, the category of each object, by its id.
    """

    name: str
    frames: tuple[Path, ...]
    given: Mapping[int, GivenMask]
    truth: Mapping[int, Path]
    saved: tuple[int, ...]
    spans: Mapping[int, tuple[int, ...]] = dataclasses.field(default_factory=dict)
    categories: Mapping[int, str] = dataclasses.field(default_factory=dict)

    def frame_name(self, index: int) -> str:
        """The name that masks of a frame carry: its file's, without suffix."""
        return self.frames[index].stem

    def fingerprint(self) -> str:
        """A short hash of the names and sizes of the files, and of which are given and saved."""
        given = sorted((t, mask.ids) for t, mask in self.given.items())
        digest = hashlib.sha256(repr((self.name, self.saved, given)).encode())
        paths = (*self.frames, *(self.truth[t] for t in sorted(self.truth)))
        for path in (*paths, *(self.given[t].path for t, _ in given)):
            digest.update(f"{path.name} {path.stat().st_size}\n".encode())
        return digest.hexdigest()[:16]


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """A data set to be segmented and, where labels are public, scored.

    Attributes:
      dataset: which one; it decides on the scorer and on the form of submissions.
      split: of the set.
      root: its folder.
      sequences: in natural order of their names.
      is_binary: whether everything in a mask that is not 0 is one object.
      short_edge: frames, given masks and truth whose shorter edge is longer are shrunk to it before
        anything else; None leaves them as stored.
      output_height: the height at which masks are wanted, their width rounded up; None for that of
        the frames.
    """

    dataset: Dataset
    split: str
    root: Path
    sequences: tuple[BenchmarkSequence, ...]
    is_binary: bool = False
    short_edge: int | None = None
    output_height: int | None = None

    @property
    def name(self) -> str:
        """The set and its split."""
        return f"{self.dataset} {self.split}"

    @property
    def has_truth(self) -> bool:
        """Whether every sequence can be scored: it has truth beyond the given masks."""
        return all(set(s.truth) - set(s.given) for s in self.sequences)

    def fingerprint(self) -> str:
        """A short hash of the files' names and sizes, and of what is done with them."""
        fields = (self.dataset, self.split, self.is_binary, self.short_edge, self.output_height)
        parts = [repr(fields), *(sequence.fingerprint() for sequence in self.sequences)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


@dataclasses.dataclass(frozen=True)
class BenchmarkOptions:
    """Which data set to open, and how.

    Attributes:
      dataset: its layout and rules.
      split: of the set; val and valid mean the same.
      root: its folder.
      masks_root: where the given masks lie if not below the root, as some keep those of DAVIS
        test-dev; a folder of the same layout.
      resolution: of DAVIS, which has two.
      all_frames: for YouTube-VOS, segment the frames between the listed ones, too.
      short_edge: see :class:`Benchmark`.
      sequences: the only ones to take, by name; all if empty.
    """

    dataset: Dataset
    split: str
    root: Path
    masks_root: Path | None = None
    resolution: Resolution = "480p"
    all_frames: bool = False
    short_edge: int | None = None
    sequences: tuple[str, ...] = ()
