"""Speed and memory against the length of the video: ``python -m mavos_jax.profiling.lengths``."""

import dataclasses
import itertools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mavos_jax.commands.errors import main_with_errors
from mavos_jax.commands.parser import parse_experiment, require_range
from mavos_jax.config import MAX_ID, Experiment
from mavos_jax.models.memory import POLICIES
from mavos_jax.profiling.measuring import Timing, table, write_report
from mavos_jax.profiling.protocols import Job, Outcome, run_in_own_process
from mavos_jax.profiling.workload import Contender, Setting, read_networks, read_size
from mavos_jax.runtime.files import require_writable_parent
from mavos_jax.runtime.progress import say


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Measure speed, by the protocols aot and xmem, and memory against the length of the video.

    Attributes:
      config: the configuration file of the network.
      checkpoint: the folder of its weights; by default fresh ones, which are as fast.
      against: configuration files of other networks to measure in turns with the first.
      lengths: frames of the videos.
      size: height and width of the frames, such as 480x854.
      objects: objects in the videos.
      bank: whether a bank has room for all frames that a video writes, as in the paper's Fig. 1, or
        for as many as configured.
      repeats: rounds of which medians are reported.
      json: a file for the results.
      plot: a file for the picture, .png or .svg; needs matplotlib.
    """

    config: Path | None = None
    checkpoint: Path | None = None
    against: tuple[Path, ...] = ()
    lengths: tuple[int, ...] = (70, 500, 2500)
    size: str = "480x854"
    objects: int = 2
    bank: Literal["unbounded", "configured"] = "unbounded"
    repeats: int = 3
    json: Path | None = None
    plot: Path | None = None

    def __post_init__(self) -> None:
        require_range(self, repeats=1, lengths=2)
        require_range(self, MAX_ID, objects=1)
        read_size(self.size)
        if self.plot is not None and self.plot.suffix not in (".png", ".svg"):
            raise ValueError(f"--plot: expected a name in .png or .svg, found {self.plot}")


def main(argv: Sequence[str] | None = None) -> None:
    """Measures what the command line asks for."""
    # Or else this process would keep the memory that others are measured in.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    arguments, experiment = parse_experiment(Arguments, argv, ("inference", "memory"))
    for path in filter(None, (arguments.json, arguments.plot)):
        require_writable_parent(path)
    if arguments.plot is not None:
        _import_figure()
    networks = read_networks(experiment, arguments.checkpoint, arguments.against)
    points = measure_lengths(networks, arguments)
    print(table(points))
    write_report(arguments.json, arguments, lengths=points)
    if arguments.plot is not None:
        draw_lengths(points, arguments.plot)


def measure_lengths(networks: Sequence[Contender], arguments: Arguments) -> list[dict[str, Any]]:
    """Measures every network on every length; returns values by the names of columns."""
    precision = networks[0].experiment.inference.precision
    setting = Setting(read_size(arguments.size), arguments.objects, precision)
    jobs = []
    for length, network in itertools.product(dict.fromkeys(arguments.lengths), networks):
        if arguments.bank == "unbounded":
            network = network._replace(experiment=unbounded(network.experiment, length))
        jobs.append(Job(network, setting, length))
    outcomes: list[list[Outcome | str]] = []
    for job in jobs:
        say(f"{job.network.experiment.name}, {setting}: compiling")
        outcome = run_in_own_process(job.warming())
        outcomes.append([outcome] if isinstance(outcome, str) else [])
    for number in range(arguments.repeats):
        for job, found in zip(jobs, outcomes, strict=True):
            if not any(isinstance(outcome, str) for outcome in found):
                say(f"round {number + 1}: {job.network.experiment.name}, {job.num_frames} frames")
                found.append(run_in_own_process(job))
    return [_point(job, found) for job, found in zip(jobs, outcomes, strict=True)]


def unbounded(experiment: Experiment, num_frames: int) -> Experiment:
    """Returns the experiment with room for every frame that a video of a length writes."""
    memory = experiment.memory
    if POLICIES[memory.policy].places is not None:
        return experiment
    capacity = max(2, 1 + (num_frames - 1) // memory.gap)
    memory = dataclasses.replace(memory, capacity=capacity, grows=True)
    return dataclasses.replace(experiment, memory=memory)


def _point(job: Job, outcomes: list[Outcome | str]) -> dict[str, Any]:
    memory = job.network.experiment.memory
    runs = [outcome for outcome in outcomes if isinstance(outcome, Outcome)]
    failure = next((outcome for outcome in outcomes if isinstance(outcome, str)), None)
    point: dict[str, Any] = {
        "network": job.network.experiment.name,
        "frames": job.num_frames,
        "bank_frames": memory.capacity if POLICIES[memory.policy].places is None else None,
        "failure": failure,
    }
    for name in ("aot", "xmem"):
        point[f"{name}_FPS"] = None if failure else Timing.of([run.fps[name] for run in runs])
    sizes = None if failure else Timing.of([run.memory[1] / 1e6 for run in runs])
    return {**point, "memory": None if failure else runs[0].memory[0], "memory_MB": sizes}


def draw_lengths(points: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draws frames a second and memory, one line per network, with the spread of the repeats."""
    figure = _import_figure()(figsize=(9, 3.6), layout="constrained")
    speed, memory = figure.subplots(1, 2)
    measured = [point for point in points if point["failure"] is None]
    for name in dict.fromkeys(point["network"] for point in measured):
        line = [point for point in measured if point["network"] == name]
        frames = [point["frames"] for point in line]
        _draw(speed, name, frames, [point["aot_FPS"] for point in line])
        _draw(memory, name, frames, [point["memory_MB"].times(1e-3) for point in line])
    speed.set_ylabel("frames a second (aot)")
    memory.set_ylabel(f"{measured[0]['memory'] if measured else 'memory'}, GB")
    for axes in (speed, memory):
        axes.set_xscale("log")
        axes.set_xlabel("frames of the video")
        axes.set_ylim(bottom=0)
        axes.grid(visible=True, alpha=0.3)
    if measured:
        speed.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def _draw(axes: Any, name: str, frames: list[int], values: list[Timing]) -> None:
    medians, lowest, highest = zip(*values, strict=True)
    spread = [np.subtract(medians, lowest), np.subtract(highest, medians)]
    axes.errorbar(frames, medians, yerr=spread, marker="o", capsize=3, label=name)


def _import_figure() -> type[Any]:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ValueError(
            "--plot: expected matplotlib, found none; install it with pip install "
            "'mavos_jax[plot]', or leave --plot out"
        ) from None
    return Figure


if __name__ == "__main__":
    main_with_errors(main)
