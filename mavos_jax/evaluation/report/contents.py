"""What a report is made of."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from mavos_jax.datasets.dataset import Benchmark, BenchmarkSequence
from mavos_jax.evaluation.speeds import Speed
from mavos_jax.scores.scores import BenchmarkScores, ObjectResult


class SequenceTiming(NamedTuple):
    """How one sequence was segmented.

    Attributes:
      num_frames: frames segmented, the first among them.
      fps: frames a second by the name of the protocol: "aot", "xmem", "end-to-end".
      num_objects: objects followed.
      height: of the masks, in pixels.
      width: of the masks, in pixels.
    """

    num_frames: int
    fps: Mapping[str, float]
    num_objects: int
    height: int
    width: int


@dataclasses.dataclass(frozen=True)
class ReportContents:
    """What the report of one benchmark shows.

    Attributes:
      title: of the page.
      benchmark: the set that was segmented.
      masks: a folder with <sequence>/<frame>.png, the results; sequences and frames may be missing.
      scores: of the set, None where its labels are not public.
      timings: of the sequences that are finished, by their names.
      speeds: of the set, by the names of the protocols.
      memory: what was measured, in words, and bytes; None if nothing was.
      network: the name of the network or its configuration; it finds the paper's row.
      provenance: what made the results (versions, checksums, settings), by name; may be nested.
      max_frames: frames of which pictures are shown, over all sequences; 0 shows none.
      width: of the pictures at most, in pixels.

    Raises:
      ValueError: ``max_frames`` is negative or ``width`` not positive.
    """

    title: str
    benchmark: Benchmark
    masks: Path
    scores: BenchmarkScores | None
    timings: Mapping[str, SequenceTiming]
    speeds: Mapping[str, Speed]
    memory: tuple[str, int] | None
    network: str
    provenance: Mapping[str, object]
    max_frames: int = 1500
    width: int = 320

    def __post_init__(self) -> None:
        for field, least in (("max_frames", 0), ("width", 1)):
            if getattr(self, field) < least:
                raise ValueError(
                    f"{field}: expected at least {least}, found {getattr(self, field)}"
                )

    def mask(self, sequence: BenchmarkSequence, frame: int) -> Path:
        """The predicted mask of a frame."""
        return self.masks / sequence.name / f"{sequence.frame_name(frame)}.png"

    def finished_frames(self, sequence: BenchmarkSequence) -> tuple[int, ...]:
        """Lists the frames whose masks are a result and are there, ascending."""
        folder = self.masks / sequence.name
        there = {path.stem for path in folder.glob("*.png")} if folder.is_dir() else set()
        return tuple(t for t in sequence.saved if sequence.frame_name(t) in there)

    def results(self) -> dict[str, list[ObjectResult]]:
        """The scores of the objects, by the name of their sequence."""
        found: dict[str, list[ObjectResult]] = {}
        for result in self.scores.objects if self.scores else ():
            found.setdefault(result.sequence, []).append(result)
        return found


def labelled_frames(sequence: BenchmarkSequence) -> frozenset[int]:
    """The frames with truth, none if that is only what segmentation started from."""
    return frozenset(sequence.truth) if set(sequence.truth) - set(sequence.given) else frozenset()
