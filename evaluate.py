"""Segments a video, given the mask of its first frame, or evaluates on a benchmark.

python evaluate.py
python evaluate.py --checkpoint DIR --video PATH --mask first.png --output OUT --overlay pictures
python evaluate.py --checkpoint DIR --dataset davis2017 --split val --root R --output OUT
python evaluate.py --dataset davis2017 --split val --root R --check_data
python evaluate.py --config configs/tiny.py --untrained --output demo
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import tqdm

from mavos_jax.checkpoints import load
from mavos_jax.command_line import main_with_errors, parse_command
from mavos_jax.config import Experiment
from mavos_jax.data.benchmarks import (
    BenchmarkOptions,
    Dataset,
    Resolution,
    check_benchmark,
)
from mavos_jax.default_weights import describe_default, load_default
from mavos_jax.evaluation.benchmark_evaluation import EvaluationOptions, evaluate_benchmark
from mavos_jax.evaluation.benchmark_sequence import SegmentationOptions
from mavos_jax.evaluation.demonstration import in_percent
from mavos_jax.evaluation.metrics import ObjectScores
from mavos_jax.evaluation.output import OutputFolder
from mavos_jax.evaluation.score import read_names
from mavos_jax.evaluation.scorers.rule import LongTimeVideoRule, LvosRule, ScoringRule
from mavos_jax.evaluation.video import VideoTask, segment_to_folder
from mavos_jax.inference.geometry import Augmentation
from mavos_jax.models.mavos import MAVOS, Variables, build_model, init_variables

_NO_CHECKPOINT = (
    "expected --checkpoint DIR for --config, got none; make one of released weights by `python "
    "convert_torch_weights.py --config configs/mavos.py --input FILE.pth --output DIR`, try the "
    "program without one by `python evaluate.py --config configs/tiny.py --untrained`, or drop "
    "--config for the small weights that come with the package"
)


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Segment a video or a benchmark, given first masks; without options, a generated clip.

    Attributes:
      checkpoint: the folder of the weights and their configuration; by default the small
        demonstration weights that come with the package.
      config: the configuration of the network; by default the one in the checkpoint.
      untrained: use fresh weights for --config.
      video: a video file, a folder of frames, or JPEGImages/SEQUENCE with masks of the first frame
        and of later objects in Annotations/SEQUENCE; by default a generated clip, whose true masks
        are known and give J&F.
      mask: the mask to start from, an indexed PNG of object ids: of the video's first frame or, if
        it lies in Annotations/SEQUENCE, of the frame of the same name. By default the first one
        there. Later masks there bring new objects.
      output: the folder of the results: masks/, and overlays/ or overlay.mp4; by default "output",
        for the generated clip "demo".
      overlay: draw the masks over the frames, as .jpg pictures or one .mp4; "auto" means pictures
        for the generated clip and none for a video.
      num_objects: the ids are 1 to this number, all in play from the start; by default objects
        count when they appear.
      overwrite: replace all masks and overlays in the output folder.
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
    """

    checkpoint: Path | None = None
    config: Path | None = None
    untrained: bool = False
    video: Path | None = None
    mask: Path | None = None
    output: Path | None = None
    overlay: Literal["auto", "none", "pictures", "video"] = "auto"
    num_objects: int | None = None
    overwrite: bool = False
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

    @property
    def augmentation(self) -> Augmentation:
        """The views of every frame."""
        return Augmentation(self.scales, self.flip)


def main(argv: Sequence[str] | None = None) -> None:
    arguments, experiment = parse_command(Arguments, argv)
    _require_sources(arguments)
    if arguments.dataset is not None:
        _evaluate(arguments, arguments.dataset, experiment)
    else:
        _segment(arguments, experiment)


def _segment(arguments: Arguments, experiment: Experiment | None) -> None:
    if arguments.video is None:
        task, root, overlay = VideoTask.demonstration(arguments.num_objects), "demo", "pictures"
    else:
        task = VideoTask.open(arguments.video, arguments.mask, arguments.num_objects)
        root, overlay = "output", "none"
    output = OutputFolder.open(
        arguments.output or Path(root),
        overlay if arguments.overlay == "auto" else arguments.overlay,
        overwrite=arguments.overwrite,
        frames=arguments.video is None,
        inputs=task.inputs,
    )
    model, variables = _load_model(arguments, experiment)
    print(task, flush=True)
    report = segment_to_folder(model, variables, task, output, arguments.augmentation)
    print(f"masks are in {output.root / 'masks'}")
    if output.overlay != "none":
        is_video = output.overlay == "video"
        print(f"overlays are in {output.overlay_video if is_video else output.root / 'overlays'}")
    if report.scores is not None:
        print(_describe(report.scores))
    print(report)


def _evaluate(arguments: Arguments, dataset: Dataset, experiment: Experiment | None) -> None:
    if arguments.root is None:
        raise ValueError("expected --root FOLDER for --dataset, got none; give the set's folder")
    benchmark = BenchmarkOptions(
        dataset=dataset,
        split=arguments.split,
        root=arguments.root,
        masks_root=arguments.masks_root,
        resolution=arguments.resolution,
        all_frames=arguments.all_frames,
        short_edge=arguments.short_edge,
        sequences=arguments.sequences,
    )
    if arguments.check_data:
        _check_data(benchmark)
        return
    processes = arguments.scoring_processes
    options = EvaluationOptions(
        benchmark,
        SegmentationOptions(arguments.augmentation, arguments.num_objects, arguments.time_frames),
        ScoringRule(
            arguments.official_decay,
            arguments.lvos_rule,
            arguments.long_time_video_rule,
            None if arguments.unseen is None else read_names(arguments.unseen),
        ),
        overwrite=arguments.overwrite,
        num_processes=(os.cpu_count() or 1) if processes is None else processes,
        num_devices=arguments.num_devices,
        report_frames=arguments.report_frames,
    )
    model, variables = _load_model(arguments, experiment)
    root = arguments.output or Path("output")
    evaluate_benchmark(model, variables, options, root, lambda line: print(line, flush=True))


def _check_data(benchmark: BenchmarkOptions) -> None:
    with tqdm.tqdm(unit="sequence", disable=None) as progress:

        def show(done: int, total: int) -> None:
            progress.total = total
            progress.update(done - progress.n)

        problems = check_benchmark(benchmark, show)
    for problem in problems:
        print(problem)
    if problems:
        raise ValueError(f"{benchmark.root}: expected a sound tree, found {len(problems)} problems")
    print(f"{benchmark.root}: nothing is missing")


def _require_sources(arguments: Arguments) -> None:
    if not arguments.scales or min(arguments.scales) <= 0:
        raise ValueError(f"--scales: expected numbers above 0, got {arguments.scales}")
    if arguments.num_devices is not None and arguments.num_devices < 1:
        raise ValueError(f"--num_devices: expected at least 1, got {arguments.num_devices}")
    if arguments.check_data and arguments.dataset is None:
        raise ValueError("expected --dataset NAME and --root FOLDER for --check_data, got neither")
    if arguments.dataset is not None and arguments.video is not None:
        raise ValueError("expected --dataset or --video, got both; drop one of them")
    if arguments.checkpoint is not None and arguments.untrained:
        raise ValueError("expected --checkpoint or --untrained, got both; drop one of them")
    if arguments.untrained and arguments.config is None:
        raise ValueError(
            "expected --config FILE for --untrained, got none; for example --config configs/tiny.py"
        )
    if arguments.config is not None and arguments.checkpoint is None and not arguments.untrained:
        raise ValueError(_NO_CHECKPOINT)
    if (arguments.video or arguments.dataset) is None and arguments.checkpoint is not None:
        raise ValueError(
            "expected --video PATH or --dataset NAME, got neither; give a video, a folder of "
            "frames or a benchmark"
        )
    if arguments.video is None and arguments.mask is not None:
        raise ValueError("expected --video PATH for --mask, got none; give the mask's video")


def _load_model(arguments: Arguments, experiment: Experiment | None) -> tuple[MAVOS, Variables]:
    if experiment is None:  # there is neither a checkpoint nor a configuration file
        print(f"weights: {describe_default()}; --checkpoint DIR uses others")
        return load_default()
    if arguments.checkpoint is None:
        print(f"untrained: {experiment.name} with fresh weights (seed 0); the masks mean nothing")
        model = build_model(experiment)
        return model, init_variables(model, 0)
    model, variables = load(arguments.checkpoint)
    return (model if model.config == experiment else build_model(experiment)), variables


def _describe(scores: ObjectScores) -> str:
    values = ", ".join(f"{name} {value:.1f}" for name, value in in_percent(scores).items())
    return f"{values} (means over objects, first and last frame left out, as in DAVIS 2017)"


if __name__ == "__main__":
    main_with_errors(main)
