"""The options of the programs that read a benchmark or score one."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

from mavos_jax.commands.parser import require_range
from mavos_jax.datasets import BenchmarkName, BenchmarkOptions, Resolution
from mavos_jax.datasets.listing import read_names
from mavos_jax.datasets.protocol import LongTimeVideoRule, LvosRule, ScoringOptions


@dataclasses.dataclass(frozen=True)
class BenchmarkArguments:
    """Benchmark.

    Attributes:
      dataset: the benchmark.
      split: its split, such as val or test-dev.
      root: the benchmark's folder.
      masks_root: the folder with DAVIS's Annotations if that is not the root.
      resolution: 480p or full frames of DAVIS; full_to_480p reads full ones and scores at 480p.
      all_frames: also segment the frames of YouTube-VOS and VOST between the annotated ones.
      short_edge: shrink frames and truth to this shorter edge; the paper runs LVOS at 480.
    """

    dataset: BenchmarkName | None = None
    split: str = "val"
    root: Path | None = None
    masks_root: Path | None = None
    resolution: Resolution = "480p"
    all_frames: bool = False
    short_edge: int | None = None

    def __post_init__(self) -> None:
        require_range(self, short_edge=32)

    def options(self, sequences: Sequence[str] = ()) -> BenchmarkOptions:
        """Returns what to open; all sequences unless some are named."""
        if self.dataset is None or self.root is None:
            raise ValueError(
                "expected --dataset NAME and --root FOLDER of a benchmark, found "
                f"{'neither' if self.dataset == self.root else 'one of them'}"
            )
        given = {x.name: getattr(self, x.name) for x in dataclasses.fields(BenchmarkArguments)}
        return BenchmarkOptions(**given, sequences=tuple(sequences))


@dataclasses.dataclass(frozen=True)
class ScoringArguments:
    """Scoring.

    Attributes:
      unseen: a file that lists unseen videos (LVOS) or categories (YouTube-VOS), one per line.
      lvos_rule: follow LVOS's scorer since May 2024, or the one before, which dropped no frames.
      long_time_video_rule: drop the first and the last label, or only the first.
      official_decay: reproduce an error of DAVIS's scorer in decays over more than 256 frames.
      scoring_processes: processes that score; one per CPU by default, 0 scores in this process.
    """

    unseen: Path | None = None
    lvos_rule: LvosRule = "2024-05"
    long_time_video_rule: LongTimeVideoRule = "davis"
    official_decay: bool = False
    scoring_processes: int | None = None

    def __post_init__(self) -> None:
        require_range(self, scoring_processes=0)

    def options(self) -> ScoringOptions:
        """Returns the variants of the protocols; reads the list of unseen names."""
        return ScoringOptions(
            official_decay=self.official_decay,
            lvos=self.lvos_rule,
            long_time_video=self.long_time_video_rule,
            unseen=None if self.unseen is None else read_names(self.unseen),
        )

    @property
    def num_processes(self) -> int:
        """The number of processes that score; 0 scores in this one."""
        given = self.scoring_processes
        return len(os.sched_getaffinity(0)) if given is None else given
