"""What every benchmark looks like to inference and to scorers: sequences of files, and rules."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, get_args

from mavos_jax.datasets.listing import split_names
from mavos_jax.runtime.checksums import short_hash

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
      declared_frames: for LVOS, the number of frames that the metadata count of each object, by its
        id; it may differ from that of its life span.
    """

    name: str
    frames: tuple[Path, ...]
    given: Mapping[int, GivenMask]
    truth: Mapping[int, Path]
    saved: tuple[int, ...]
    spans: Mapping[int, tuple[int, ...]] = dataclasses.field(default_factory=dict)
    categories: Mapping[int, str] = dataclasses.field(default_factory=dict)
    declared_frames: Mapping[int, int] = dataclasses.field(default_factory=dict)

    def frame_name(self, index: int) -> str:
        """The name that masks of a frame carry: its file's, without suffix."""
        return self.frames[index].stem

    @property
    def has_truth(self) -> bool:
        """Whether it can be scored: it has truth beyond the given masks."""
        return bool(set(self.truth) - set(self.given))

    def fingerprint(self) -> str:
        """A short hash of the frames' names and sizes, the masks' bytes, and all that is said.

        Masks count by their content, since one of the same size is easily drawn anew; they are
        small. Where the files lie and when they were written does not matter.
        """
        given = sorted((t, mask.ids) for t, mask in self.given.items())
        listed = (self.spans, self.categories, self.declared_frames)
        said = (self.name, self.saved, given, [sorted(by_id.items()) for by_id in listed])
        masks = [(t, self.given[t].path) for t, _ in given] + sorted(self.truth.items())

        def parts() -> Iterator[str | bytes]:
            yield repr(said)
            for path in self.frames:
                yield f"{path.name} {path.stat().st_size}\n"
            # Most given masks are the truth of their frame, too.
            for frame, path in dict.fromkeys(masks):
                content = path.read_bytes()
                yield f"{frame} {path.name} {len(content)}\n"
                yield content

        return short_hash(parts())


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
        return all(sequence.has_truth for sequence in self.sequences)

    def fingerprint(self) -> str:
        """A short hash of the sequences, and of what is done with them; see those."""
        split = min(split_names(self.split))  # the same tree has two names for it
        fields = (self.dataset, split, self.is_binary, self.short_edge, self.output_height)
        parts = [repr(fields), *(sequence.fingerprint() for sequence in self.sequences)]
        return short_hash(["\n".join(parts)])


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
