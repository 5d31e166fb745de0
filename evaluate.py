"""Segments a video, given the mask of its first frame, or evaluates on a benchmark."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import jax
import tqdm

from mavos_jax.checkpoints.description import Stored, read_description
from mavos_jax.checkpoints.weights import describe_default, load_stored, read_default
from mavos_jax.commands.benchmark_options import BenchmarkArguments, ScoringArguments
from mavos_jax.commands.errors import main_with_errors
from mavos_jax.commands.parser import parse_experiment, require_range
from mavos_jax.config import Experiment
from mavos_jax.datasets import BenchmarkOptions, check_benchmark
from mavos_jax.evaluation.one_video import VideoTask, in_percent, segment_to_folder
from mavos_jax.evaluation.output import OutputFolder
from mavos_jax.evaluation.run import EvaluationOptions, evaluate_benchmark
from mavos_jax.evaluation.sequence import SegmentationOptions
from mavos_jax.inference.geometry import Augmentation
from mavos_jax.media.sequence import AnnotationUse
from mavos_jax.models.mavos import MAVOS, Variables, build_model, init_variables
from mavos_jax.runtime.compilation import announce_compilations, keep_compilations
from mavos_jax.runtime.devices import use_precision
from mavos_jax.runtime.files import require_writable_parent

_SHOWN = (
    *("memory.policy", "memory.gap", "memory.capacity", "memory.grows", "memory.on_label"),
    "inference",
)
Packaged = Callable[[], Stored]


@dataclasses.dataclass(frozen=True)
class VideoArguments:
    """One video.

    Attributes:
      start: start at this frame, given by name or number; by default at the mask's.
      from_frame: like --start, but also segment backwards from there to the first frame.
      annotations: take new objects from later masks, or all, which also corrects known ones; auto
        is new where every frame has a mask, else all.
      overlay: draw the masks over the frames; auto draws pictures for the generated clip only.
    """

    start: str | None = None
    from_frame: str | None = None
    annotations: AnnotationUse = "auto"
    overlay: Literal["auto", "none", "pictures", "video"] = "auto"

    def __post_init__(self) -> None:
        if None not in (self.start, self.from_frame):
            raise ValueError("expected --start or --from_frame, found both; drop one of them")


@dataclasses.dataclass(frozen=True)
class EvaluationArguments(BenchmarkArguments):
    """Benchmark instead of a video (an interrupted run resumes; several processes share the work).

    Attributes:
      sequences: take only these sequences.
      check_data: only list what is missing or odd in the benchmark's folder.
      time_frames: also time every frame by the protocols of AOT and XMem (docs/benchmarks.md).
      num_devices: devices that segment; all by default.
      report_frames: most frames with a picture in the report.
    """

    sequences: tuple[str, ...] = ()
    check_data: bool = False
    time_frames: bool = False
    num_devices: int | None = None
    report_frames: int = 1500

    def __post_init__(self) -> None:
        super().__post_init__()
        require_range(self, num_devices=1, report_frames=0)


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Segment a video, given the mask of its first frame, or evaluate on a benchmark.

      evaluate.py                                         a generated clip, with its scores
      evaluate.py --video PATH --mask first.png --output OUT --overlay pictures
      evaluate.py --checkpoint DIR --dataset davis2017 --split val --root DAVIS --output OUT

    Attributes:
      video: a video file, a folder of frames, or JPEGImages/NAME; by default a generated clip.
      mask: the first mask, an indexed PNG; by default from Annotations/NAME beside JPEGImages.
      output: the folder for masks/ and overlays; by default "output", or "demo" for the clip.
      checkpoint: a folder or .safetensors file; by default weights in the package.
      config: a configuration file; by default the checkpoint's own.
      untrained: use fresh weights for --config.
      overwrite: replace the results in the output folder.
      rle: also write results.json, the masks in YouTube-VIS form (COCO run-length encoding).
      soft_masks: also write soft/<id>/<frame>.png, each object's probability times 255 in grey.
      num_objects: ids 1 to N exist from the start; by default an object exists from its first mask.
      scales: average the results of these scales, relative to the network's usual size.
      flip: also average over mirrored frames.
      profile: write a trace for TensorBoard or ui.perfetto.dev here; use a short video.
    """

    video: Path | None = None
    mask: Path | None = None
    output: Path | None = None
    checkpoint: Path | None = None
    config: Path | None = None
    untrained: bool = False
    overwrite: bool = False
    rle: bool = False
    soft_masks: bool = False
    num_objects: int | None = None
    scales: tuple[float, ...] = (1.0,)
    flip: bool = False
    profile: Path | None = None
    one: VideoArguments = VideoArguments()
    benchmark: EvaluationArguments = EvaluationArguments()
    scoring: ScoringArguments = dataclasses.field(default_factory=ScoringArguments)

    def __post_init__(self) -> None:
        if not self.scales or not all(0 < scale < 10 for scale in self.scales):
            raise ValueError(f"--scales: expected numbers above 0, below 10, found {self.scales}")
        require_range(self, num_objects=1)


def main(argv: Sequence[str] | None = None) -> None:
    packaged = functools.cache(read_default)
    arguments, experiment = parse_experiment(Arguments, argv, _SHOWN, lambda: packaged().config)
    _require_sources(arguments)
    keep_compilations()
    announce_compilations()
    if arguments.profile is None:
        _run(arguments, experiment, packaged)
        return
    require_writable_parent(arguments.profile / "trace")
    options = jax.profiler.ProfileOptions()
    # A trace holds a million events: the calls of Python would leave no room for the device's.
    options.python_tracer_level = 0
    with jax.profiler.trace(
        arguments.profile, create_perfetto_trace=True, profiler_options=options
    ):
        _run(arguments, experiment, packaged)
    print(f"the trace is in {arguments.profile}")


def _run(arguments: Arguments, experiment: Experiment, packaged: Packaged) -> None:
    if arguments.benchmark.check_data:
        print_faults(arguments.benchmark.options(arguments.benchmark.sequences))
    elif arguments.benchmark.dataset is not None:
        _evaluate(arguments, experiment, packaged)
    else:
        _segment(arguments, experiment, packaged)


def print_faults(benchmark: BenchmarkOptions) -> None:
    """Prints everything that is missing or odd in a benchmark's folder; raises if there is any."""
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


def _evaluate(arguments: Arguments, experiment: Experiment, packaged: Packaged) -> None:
    benchmark, scoring = arguments.benchmark, arguments.scoring
    augmentation = Augmentation(arguments.scales, arguments.flip)
    options = EvaluationOptions(
        benchmark.options(benchmark.sequences),
        SegmentationOptions(
            augmentation,
            arguments.num_objects,
            soft_masks=arguments.soft_masks,
            times_frames=benchmark.time_frames,
        ),
        scoring.options(),
        overwrite=arguments.overwrite,
        rle=arguments.rle,
        num_processes=scoring.num_processes,
        num_devices=benchmark.num_devices,
        report_frames=benchmark.report_frames,
    )
    model, variables = _load_model(arguments, experiment, packaged)
    evaluate_benchmark(model, variables, options, arguments.output or Path("output"), _print_line)


def _print_line(line: str) -> None:
    with tqdm.tqdm.external_write_mode():  # a bar goes and comes back
        print(line, flush=True)


def _segment(arguments: Arguments, experiment: Experiment, packaged: Packaged) -> None:
    one = arguments.one
    if arguments.video is None:
        task, root, overlay = VideoTask.demonstration(arguments.num_objects), "demo", "pictures"
    else:
        task = VideoTask.open(
            *(arguments.video, arguments.mask, arguments.num_objects),
            start=one.start if one.from_frame is None else one.from_frame,
            annotations=one.annotations,
            both_ways=one.from_frame is not None,
        )
        root, overlay = "output", "none"
    output = OutputFolder(
        arguments.output or Path(root),
        overlay if one.overlay == "auto" else one.overlay,
        overwrite=arguments.overwrite,
        frames=arguments.video is None,
        rle=arguments.rle,
        inputs=task.inputs,
    )
    model, variables = _load_model(arguments, experiment, packaged)
    augmentation = Augmentation(arguments.scales, arguments.flip)
    print(task, *task.notes, sep="\n", flush=True)
    soft = arguments.soft_masks
    report = segment_to_folder(model, variables, task, output, augmentation, soft_masks=soft)
    print(f"masks are in {output.root / 'masks'}")
    if output.overlay != "none":
        is_video = output.overlay == "video"
        print(f"overlays are in {output.overlay_video if is_video else output.root / 'overlays'}")
    if report.scores is not None:
        values = [f"{name} {value:.1f}" for name, value in in_percent(report.scores).items()]
        print(
            f"{', '.join(values)} (means over objects, first and last frame left out, as in "
            "DAVIS 2017)"
        )
    print(report)


def _require_sources(arguments: Arguments) -> None:
    dataset, checkpoint = arguments.benchmark.dataset, arguments.checkpoint
    if dataset is not None and arguments.video is not None:
        raise ValueError("expected --dataset or --video, found both; drop one of them")
    if checkpoint is not None and arguments.untrained:
        raise ValueError("expected --checkpoint or --untrained, found both; drop one of them")
    if arguments.untrained and arguments.config is None:
        raise ValueError("expected --config FILE for --untrained, found none; try configs/tiny.py")
    if arguments.config is not None and checkpoint is None and not arguments.untrained:
        raise ValueError(
            "expected --checkpoint DIR for --config, found none; make one of released weights by "
            "`python convert_torch_weights.py --config configs/mavos.py --input FILE.pth --output "
            "DIR`, try fresh weights by `python evaluate.py --config configs/tiny.py --untrained`, "
            "or drop --config for the small weights that come with the package"
        )
    if (arguments.video or dataset) is None and checkpoint is not None:
        raise ValueError("expected --video PATH or --dataset NAME, found neither; give one of them")
    if arguments.video is None:
        # The generated clip takes --overlay.
        _refuse_any(arguments.one, "--video PATH", () if dataset else ("overlay",))
        if arguments.mask is not None:
            raise ValueError("expected --video PATH for --mask, found none; give it or drop --mask")
    if dataset is None and not arguments.benchmark.check_data:
        _refuse_any(arguments.benchmark, "--dataset NAME", ("num_devices", "report_frames"))
        _refuse_any(arguments.scoring, "--dataset NAME", ("scoring_processes",))


def _refuse_any(group: Any, needed: str, harmless: Sequence[str]) -> None:
    """Raises for an option of a group that would do nothing without another one."""
    for field in dataclasses.fields(group):
        name = field.name
        if name not in harmless and getattr(group, name) != field.default:
            raise ValueError(f"expected {needed} for --{name}, found none; add it or drop --{name}")


def _load_model(
    arguments: Arguments, experiment: Experiment, packaged: Packaged
) -> tuple[MAVOS, Variables]:
    if arguments.untrained:
        print(f"untrained: {experiment.name} with fresh weights (seed 0); the masks mean nothing")
        model = build_model(experiment)
        variables = init_variables(model, 0)
    elif arguments.checkpoint is None:
        stored = packaged()
        print(f"weights: {describe_default(stored)}; --checkpoint DIR uses others")
        model, variables = load_stored(stored)
    else:
        stored = read_description(arguments.checkpoint.absolute())
        print(f"weights: {arguments.checkpoint} ({stored.title})")
        model, variables = load_stored(stored)
    if model.config != experiment:
        model = build_model(experiment)
    use_precision(experiment)
    return model, variables


if __name__ == "__main__":
    main_with_errors(main)
