"""The options of ``evaluate.py`` that concern benchmarks."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import tqdm

from mavos_jax.datasets import BenchmarkOptions, Dataset, Resolution, check_benchmark
from mavos_jax.datasets.rule import LongTimeVideoRule, LvosRule, ScoringRule, read_names
from mavos_jax.evaluation.run import EvaluationOptions
from mavos_jax.evaluation.sequence import SegmentationOptions
from mavos_jax.inference.geometry import Augmentation

_LEAST = {
    "num_objects": 1,
    "short_edge": 32,
    "scoring_processes": 0,
    "num_devices": 1,
    "report_frames": 0,
}


@dataclasses.dataclass(frozen=True)
class BenchmarkArguments:
    """What to evaluate on, and how.

    Attributes:
      num_objects: the ids are 1 to this number, all in play from the start; by default objects
        count when they appear.
      overwrite: replace the results in the output folder.
      rle: also write results.json, the masks as YouTube-VIS results with COCO's run lengths.
      scales: sizes of the frames relative to the network's usual one; the mean over all decides.
      flip: also look at the frames mirrored, at every scale.
      dataset: a benchmark instead of a video; the output folder gets masks/, scores, a zip for the
        server and report.html. A run that was interrupted goes on; several processes with the same
        command share the work.
      split: of the benchmark.
      root: the benchmark's folder.
      masks_root: where its first masks lie, if not below the root.
      resolution: of DAVIS.
      all_frames: of YouTube-VOS, segment the frames between the listed ones, too.
      short_edge: shrink frames and truth whose shorter edge is longer, in pixels; the paper runs
        LVOS at 480.
      sequences: the only ones to take.
      check_data: only say what is missing or odd in the benchmark's folder.
      time_frames: take one frame at a time and time each as the protocols "aot" and "xmem" do.
      unseen: a list of the unseen videos (LVOS) or categories (YouTube-VOS), one in a line.
      lvos_rule: of LVOS's scorer, which changed in May 2024.
      long_time_video_rule: of Long-Time Video's scorer.
      official_decay: keep an error of DAVIS's scorer in the decay beyond 256 frames.
      scoring_processes: that score in parallel; by default as many as there are processors.
      num_devices: devices of this process that segment a benchmark; by default all.
      report_frames: frames with pictures in the report.

    Raises:
      ValueError: a number is out of range.
    """

    num_objects: int | None = None
    overwrite: bool = False
    rle: bool = False
    scales: tuple[float, ...] = (1.0,)
    flip: bool = False
    dataset: Dataset | None = None
    split: str = "val"
    root: Path | None = None
    masks_root: Path | None = None
    resolution: Resolution = "480p"
    all_frames: bool = False
    short_edge: int | None = None
    sequences: tuple[str, ...] = ()
    check_data: bool = False
    time_frames: bool = False
    unseen: Path | None = None
    lvos_rule: LvosRule = "2024-05"
    long_time_video_rule: LongTimeVideoRule = "davis"
    official_decay: bool = False
    scoring_processes: int | None = None
    num_devices: int | None = None
    report_frames: int = 1500

    def __post_init__(self) -> None:
        if not self.scales or not all(0 < scale < 10 for scale in self.scales):
            raise ValueError(f"--scales: expected numbers above 0 and below 10, got {self.scales}")
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"--{name}: expected at least {least}, got {value}")

    @property
    def augmentation(self) -> Augmentation:
        """The views of every frame."""
        return Augmentation(self.scales, self.flip)

    def benchmark(self) -> BenchmarkOptions:
        """Returns which data set to open.

        Raises:
          ValueError: its name or folder is missing.
        """
        if self.dataset is None or self.root is None:
            raise ValueError(
                "expected --dataset NAME and --root FOLDER of a benchmark, got "
                f"{'neither' if self.dataset == self.root else 'one of them'}"
            )
        return BenchmarkOptions(
            dataset=self.dataset,
            split=self.split,
            root=self.root,
            masks_root=self.masks_root,
            resolution=self.resolution,
            all_frames=self.all_frames,
            short_edge=self.short_edge,
            sequences=self.sequences,
        )

    def evaluation(self) -> EvaluationOptions:
        """Returns how to evaluate.

        Raises:
          ValueError: the data set is not named, or the list of unseen names cannot be read.
        """
        processes = self.scoring_processes
        return EvaluationOptions(
            self.benchmark(),
            SegmentationOptions(self.augmentation, self.num_objects, self.time_frames),
            ScoringRule(
                official_decay=self.official_decay,
                lvos=self.lvos_rule,
                long_time_video=self.long_time_video_rule,
                unseen=None if self.unseen is None else read_names(self.unseen),
            ),
            overwrite=self.overwrite,
            rle=self.rle,
            num_processes=len(os.sched_getaffinity(0)) if processes is None else processes,
            num_devices=self.num_devices,
            report_frames=self.report_frames,
        )


def print_faults(benchmark: BenchmarkOptions) -> None:
    """Prints everything that is missing or odd in a benchmark's folder.

    Raises:
      ValueError: there is something.
    """
    with tqdm.tqdm(unit="sequence", disable=None) as progress:

        def show(done: int, total: int) -> None:
            progress.total = total
            progress.update(done - progress.n)

        faults = check_benchmark(benchmark, show)
    for fault in faults:
        print(fault)
    if faults:
        raise ValueError(f"{benchmark.root}: expected a sound tree, found {len(faults)} faults")
    print(f"{benchmark.root}: nothing is missing")
