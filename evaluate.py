"""Segments a video, given the mask of its first frame, or evaluates on a benchmark.

python evaluate.py
python evaluate.py --checkpoint DIR --video PATH --mask first.png --output OUT --overlay pictures
python evaluate.py --checkpoint DIR --dataset davis2017 --split val --root R --output OUT
python evaluate.py --dataset davis2017 --split val --root R --check_data
python evaluate.py --config configs/tiny.py --untrained --output demo
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import jax
import tqdm

from mavos_jax.checkpoints.folder import load
from mavos_jax.checkpoints.packaged import describe_default, load_default
from mavos_jax.commands.evaluation_options import BenchmarkArguments, print_faults
from mavos_jax.commands.options import main_with_errors, parse_command
from mavos_jax.config import Experiment
from mavos_jax.evaluation.one_video import in_percent, segment_to_folder
from mavos_jax.evaluation.output import OutputFolder
from mavos_jax.evaluation.run import evaluate_benchmark
from mavos_jax.evaluation.video_task import VideoTask
from mavos_jax.media.later_masks import AnnotationUse
from mavos_jax.models.mavos import MAVOS, Variables, build_model, init_variables
from mavos_jax.runtime.compilation import announce_compilations, keep_compilations
from mavos_jax.runtime.devices import use_precision
from mavos_jax.runtime.files import require_writable_parent
from mavos_jax.scores.metrics import ObjectScores

_NO_CHECKPOINT = (
    "expected --checkpoint DIR for --config, got none; make one of released weights by `python "
    "convert_torch_weights.py --config configs/mavos.py --input FILE.pth --output DIR`, try the "
    "program without one by `python evaluate.py --config configs/tiny.py --untrained`, or drop "
    "--config for the small weights that come with the package"
)

_VIDEO_OPTIONS = ("mask", "start", "annotations")
_SHARED_OPTIONS = (
    *("num_objects", "overwrite", "rle", "scales", "flip"),
    *("scoring_processes", "num_devices", "report_frames"),  # change no result
)
_BENCHMARK_OPTIONS = tuple(
    field.name
    for field in dataclasses.fields(BenchmarkArguments)
    if field.name not in _SHARED_OPTIONS
)


@dataclasses.dataclass(frozen=True)
class Arguments(BenchmarkArguments):
    """Segment a video or a benchmark, given first masks; without options, a generated clip.

    Attributes:
      checkpoint: the folder of the weights and their configuration; by default the small
        demonstration weights that come with the package.
      config: the configuration of the network; by default the one in the checkpoint.
      untrained: use fresh weights for --config.
      video: a video file, a folder of frames, or JPEGImages/SEQUENCE with masks in
        Annotations/SEQUENCE; by default a generated clip, whose true masks are known and give J&F.
      mask: the mask to start from, an indexed PNG of object ids. By default the first one in
        Annotations/SEQUENCE that shows an object.
      start: the frame of the mask, by its name or its number from 0 on, where segmenting starts. By
        default that of the same name in a folder of frames, or else the first.
      annotations: what later masks in Annotations/SEQUENCE are for: "new" takes new objects from
        them, "all" also takes known objects from them as corrections; "auto" means all, but new
        where every frame has a mask, as in sets whose truth is known.
      output: the folder of the results: masks/, and overlays/ or overlay.mp4; by default "output",
        for the generated clip "demo".
      overlay: draw the masks over the frames, as .jpg pictures or one .mp4; "auto" means pictures
        for the generated clip and none for a video.
      profile: a folder for a trace of the run, which TensorBoard and ui.perfetto.dev open. Traces
        grow fast: profile a few frames.
    """

    checkpoint: Path | None = None
    config: Path | None = None
    untrained: bool = False
    video: Path | None = None
    mask: Path | None = None
    start: str | None = None
    annotations: AnnotationUse = "auto"
    output: Path | None = None
    overlay: Literal["auto", "none", "pictures", "video"] = "auto"
    profile: Path | None = None


def main(argv: Sequence[str] | None = None) -> None:
    arguments, experiment = parse_command(Arguments, argv)
    _require_sources(arguments)
    keep_compilations()
    announce_compilations()
    if arguments.profile is None:
        _run(arguments, experiment)
        return
    require_writable_parent(arguments.profile / "trace")
    with jax.profiler.trace(arguments.profile, create_perfetto_trace=True):
        _run(arguments, experiment)
    print(f"the trace is in {arguments.profile}")


def _run(arguments: Arguments, experiment: Experiment | None) -> None:
    if arguments.check_data:
        print_faults(arguments.benchmark())
    elif arguments.dataset is not None:
        options = arguments.evaluation()
        root = arguments.output or Path("output")
        evaluate_benchmark(*_load_model(arguments, experiment), options, root, _print_line)
    else:
        _segment(arguments, experiment)


def _print_line(line: str) -> None:
    with tqdm.tqdm.external_write_mode():  # a bar goes and comes back
        print(line, flush=True)


def _segment(arguments: Arguments, experiment: Experiment | None) -> None:
    if arguments.video is None:
        task, root, overlay = VideoTask.demonstration(arguments.num_objects), "demo", "pictures"
    else:
        task = VideoTask.open(
            *(arguments.video, arguments.mask, arguments.num_objects),
            start=arguments.start,
            annotations=arguments.annotations,
        )
        root, overlay = "output", "none"
    output = OutputFolder.open(
        arguments.output or Path(root),
        overlay if arguments.overlay == "auto" else arguments.overlay,
        overwrite=arguments.overwrite,
        frames=arguments.video is None,
        rle=arguments.rle,
        inputs=task.inputs,
    )
    model, variables = _load_model(arguments, experiment)
    print(task, *task.notes, sep="\n", flush=True)
    report = segment_to_folder(model, variables, task, output, arguments.augmentation)
    print(f"masks are in {output.root / 'masks'}")
    if output.overlay != "none":
        is_video = output.overlay == "video"
        print(f"overlays are in {output.overlay_video if is_video else output.root / 'overlays'}")
    if report.scores is not None:
        print(_describe(report.scores))
    print(report)


def _require_sources(arguments: Arguments) -> None:
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
    video_options = _VIDEO_OPTIONS if arguments.dataset is None else (*_VIDEO_OPTIONS, "overlay")
    if arguments.video is None:
        _require_unused(arguments, video_options, "--video PATH")
    if arguments.dataset is None and not arguments.check_data:
        _require_unused(arguments, _BENCHMARK_OPTIONS, "--dataset NAME")


def _require_unused(arguments: Arguments, names: Sequence[str], needed: str) -> None:
    """Raises for an option that would do nothing without another."""
    for field in dataclasses.fields(arguments):
        if field.name in names and getattr(arguments, field.name) != field.default:
            raise ValueError(
                f"expected {needed} for --{field.name}, got none; give it, or drop --{field.name}"
            )


def _load_model(arguments: Arguments, experiment: Experiment | None) -> tuple[MAVOS, Variables]:
    model, variables = _choose_model(arguments, experiment)
    use_precision(model.config)
    return model, variables


def _choose_model(arguments: Arguments, experiment: Experiment | None) -> tuple[MAVOS, Variables]:
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
