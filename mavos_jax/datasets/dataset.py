"""A data set is one value: where its files lie, how it is scored, and what its server takes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from mavos_jax.datasets.listing import split_names
from mavos_jax.datasets.pairing import pair_frames
from mavos_jax.datasets.protocol import ScoringRule, SequenceMasks, Summary
from mavos_jax.datasets.sequences import Layout, SequenceFiles, SequenceFolders
from mavos_jax.media.samples import Form
from mavos_jax.runtime.files import short_hash
from mavos_jax.scores.scores import ObjectResult

Resolution = Literal["480p", "full", "full_to_480p"]
"""Of DAVIS: what is read, or full frames whose masks are wanted at a height of 480."""


@dataclasses.dataclass(frozen=True)
class BenchmarkOptions:
    """Which data set to open, and how.

    Attributes:
      dataset: its name in :data:`~mavos_jax.datasets.table.DATA_SETS`.
      split: val and valid mean the same.
      root: its folder.
      masks_root: where the given masks lie if not below the root, as some keep those of DAVIS
        test-dev; a folder of the same layout.
      resolution: of DAVIS, which has two.
      all_frames: also segment the frames between the annotated ones, from a package that has them.
      short_edge: see :class:`Benchmark`.
      sequences: the only ones to take, by name; all if empty.
      for_training: take what training needs, at any resolution.
    """

    dataset: str
    split: str
    root: Path
    masks_root: Path | None = None
    resolution: Resolution = "480p"
    all_frames: bool = False
    short_edge: int | None = None
    sequences: tuple[str, ...] = ()
    for_training: bool = False


class Published(NamedTuple):
    """What a paper reports of a model on the validation split of a set.

    Attributes:
      model: its name there.
      source: the table.
      mean: J&F, in percent.
      region: J, in percent; None where the table lacks it.
      boundary: F, in percent; likewise.
      fps: frames a second; likewise.
      memory: of the GPU, in GB; likewise.
      condition: what to know before comparing; empty if nothing.
    """

    model: str
    source: str
    mean: float
    region: float | None = None
    boundary: float | None = None
    fps: float | None = None
    memory: float | None = None
    condition: str = ""


class Protocol(NamedTuple):
    """How a data set is scored.

    Attributes:
      score: gives the rows of a sequence's objects; raises ValueError for masks that hold what they
        may not.
      summarise: gives the rule in words and the summary from the rows of all objects.
      official_row: makes the official columns of the summary, where they differ.
      unseen_names: what of a sequence training may not have seen: its name, or its categories.
    """

    score: Callable[[SequenceFiles, SequenceMasks, ScoringRule], tuple[ObjectResult, ...]]
    summarise: Callable[[Sequence[ObjectResult], ScoringRule], Summary]
    official_row: Callable[[Sequence[ObjectResult], Mapping[str, float]], Mapping[str, float]] = (
        lambda objects, summary: summary
    )
    unseen_names: Callable[[SequenceFiles], Iterable[str]] = lambda sequence: ()


@dataclasses.dataclass(frozen=True)
class DataSet:
    """All that is particular about a data set.

    Attributes:
      find: names the sequences of a split and says where they lie; raises ValueError where folders,
        lists or metadata are missing or damaged.
      masks: what the values of its masks mean.
      protocol: how it is scored; None for a set that only training uses.
      options: fields of :class:`BenchmarkOptions` that other sets lack.
      trains_on: what training takes from it; None if nothing.
      pair: pairs the frames and masks of a training video.
      nested: the folder of a submission that holds those of the sequences.
      server: a page that links to the server for submissions.
      published: what the MAVOS paper reports.
    """

    find: Callable[[BenchmarkOptions], Layout]
    masks: Form = "ids"
    protocol: Protocol | None = None
    options: tuple[str, ...] = ()
    trains_on: Literal["videos", "images"] | None = None
    pair: Callable[[Layout, SequenceFolders], SequenceFiles] = pair_frames
    nested: str = "."
    server: str = ""
    published: tuple[Published, ...] = ()


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """A data set to be segmented and, where labels are public, scored.

    Attributes:
      dataset: its name.
      split: of the set.
      root: its folder.
      sequences: in natural order of their names.
      is_binary: whether everything in a mask that is not 0 is one object.
      short_edge: frames, given masks and truth whose shorter edge is longer are shrunk to it before
        anything else; None leaves them as stored.
      output_height: the height at which masks are wanted, their width rounded up; None for that of
        the frames.
    """

    dataset: str
    split: str
    root: Path
    sequences: tuple[SequenceFiles, ...]
    is_binary: bool = False
    short_edge: int | None = None
    output_height: int | None = None

    @property
    def name(self) -> str:
        """The set and its split."""
        return f"{self.dataset} {self.split}"

    @property
    def has_truth(self) -> bool:
        """Whether every sequence can be scored."""
        return all(sequence.has_truth for sequence in self.sequences)

    def fingerprint(self) -> str:
        """A short hash of the sequences and of how they are taken."""
        split = min(split_names(self.split))  # the same tree has two names for it
        fields = (self.dataset, split, self.is_binary, self.short_edge, self.output_height)
        parts = [repr(fields), *(sequence.fingerprint() for sequence in self.sequences)]
        return short_hash(["\n".join(parts)])
