"""A data set as one value: where its files lie, how it is scored, what its server takes."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

from mavos_jax.datasets.listing import split_names
from mavos_jax.datasets.pairing import pair_frames
from mavos_jax.datasets.protocol import Protocol
from mavos_jax.datasets.sequences import Layout, SequenceFiles, SequenceFolders
from mavos_jax.media.samples import Form
from mavos_jax.runtime.files import short_hash

Resolution = Literal["480p", "full", "full_to_480p"]
"""Which frames of DAVIS to read; ``full_to_480p``: full ones, with results of height 480."""


@dataclasses.dataclass(frozen=True)
class BenchmarkOptions:
    """Which data set to open, and how."""

    dataset: str  # its name in :data:`~mavos_jax.datasets.table.DATA_SETS`
    split: str  # val and valid mean the same
    root: Path
    masks_root: Path | None = None  # holds the given masks if the root does not
    resolution: Resolution = "480p"  # which of DAVIS's two to read
    all_frames: bool = False  # also segment those between the annotated ones
    short_edge: int | None = None  # see :class:`Benchmark`
    sequences: tuple[str, ...] = ()  # names of the only ones to take; all if empty
    for_training: bool = False  # take what training needs, at any resolution

    @property
    def split_names(self) -> tuple[str, ...]:
        """The names that the folder of the split goes by."""
        return split_names(self.split)


class Published(NamedTuple):
    """What a table of a paper reports on a validation split: percent, and GiB of GPU memory."""

    model: str
    source: str
    mean: float
    region: float | None = None
    boundary: float | None = None
    fps: float | None = None
    memory: float | None = None
    condition: str = ""


@dataclasses.dataclass(frozen=True)
class DataSet:
    """Everything that is particular about a data set."""

    find: Callable[[BenchmarkOptions], Layout]  # raises ValueError for missing or damaged files
    masks: Form = "ids"
    protocol: Protocol | None = None  # how it is scored; None for a set that only training uses
    options: tuple[str, ...] = ()  # fields of :class:`BenchmarkOptions` that other sets lack
    trains_on: Literal["videos", "images"] | None = None  # None if it is not trained on
    # Pairs the frames and masks of a training video.
    pair: Callable[[Layout, SequenceFolders], SequenceFiles] = pair_frames
    nested: str = "."  # the folder of a submission that holds those of the sequences
    server: str = ""  # a page that links to the server for submissions
    published: tuple[Published, ...] = ()  # what the MAVOS paper reports


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """A data set to segment and, where labels are public, to score."""

    dataset: str
    split: str
    root: Path
    sequences: tuple[SequenceFiles, ...]  # in natural order of their names
    is_binary: bool = False  # whether everything in a mask that is not 0 is one object
    # Frames, given masks and truth whose shorter edge is longer are shrunk to it first.
    short_edge: int | None = None
    output_height: int | None = None  # height of result masks; None for that of the frames
    notes: tuple[str, ...] = ()  # lines about odd lists or metadata that prevent nothing

    @property
    def name(self) -> str:
        """The set and its split."""
        return f"{self.dataset} {self.split}"

    @property
    def has_truth(self) -> bool:
        """Whether every sequence can be scored."""
        return all(sequence.has_truth for sequence in self.sequences)

    def fingerprint(self) -> str:
        """A short hash of the sequences and of how they are read."""
        split = min(split_names(self.split))  # the same tree has two names for it
        fields = (self.dataset, split, self.is_binary, self.short_edge, self.output_height)
        parts = [repr(fields), *(sequence.fingerprint() for sequence in self.sequences)]
        return short_hash(["\n".join(parts)])
