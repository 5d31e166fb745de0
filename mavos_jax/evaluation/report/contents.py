"""What a report is made of."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from mavos_jax.datasets.dataset import Benchmark
from mavos_jax.datasets.sequences import SequenceFiles
from mavos_jax.evaluation.record import SequenceRecord
from mavos_jax.scores.scores import BenchmarkScores, ObjectResult

Plain = dict[str, object]
"""What JSON can hold."""


@dataclasses.dataclass(frozen=True)
class ReportContents:
    """What the report of one benchmark shows.

    Attributes:
      masks: a folder with <sequence>/<frame>.png, the results; sequences and frames may be missing.
      scores: the scores of the set, None where its labels are not public.
      records: what the finished sequences took.
      network: the name of the network or its configuration, which finds the paper's row.
      provenance: what made the results (versions, checksums, settings); may be nested.
      max_frames: number of frames shown as pictures, over all sequences.
      width: greatest width of the pictures, in pixels.
    """

    title: str
    benchmark: Benchmark
    masks: Path
    scores: BenchmarkScores | None
    records: Sequence[SequenceRecord]
    network: str
    provenance: Mapping[str, object]
    max_frames: int = 1500
    width: int = 320

    def finished_frames(self, sequence: SequenceFiles) -> tuple[int, ...]:
        """Lists the saved frames whose masks are there, ascending."""
        folder = self.masks / sequence.name
        there = {path.stem for path in folder.glob("*.png")} if folder.is_dir() else set()
        return tuple(t for t in sequence.saved if sequence.frame_name(t) in there)

    def results(self) -> dict[str, list[ObjectResult]]:
        """The scores of the objects, by the name of their sequence."""
        found: dict[str, list[ObjectResult]] = {}
        for result in self.scores.objects if self.scores else ():
            found.setdefault(result.sequence, []).append(result)
        return found


def labelled_frames(sequence: SequenceFiles) -> frozenset[int]:
    """The frames with truth; none if that is only what segmentation started from."""
    return frozenset(sequence.truth) if sequence.has_truth else frozenset()
