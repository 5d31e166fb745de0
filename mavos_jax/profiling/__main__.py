"""Times a network: ``python -m mavos_jax.profiling --config FILE``."""

import dataclasses
import functools
import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax

from mavos_jax.commands.errors import main_with_errors
from mavos_jax.commands.parser import parse_experiment, require_range
from mavos_jax.config import MAX_ID
from mavos_jax.profiling import measuring, protocols, workload
from mavos_jax.profiling.workload import Contender, Precision, Scan, Setting, Workload, read_size
from mavos_jax.runtime.files import require_writable_parent
from mavos_jax.runtime.progress import say

Measurement = Literal["frame", "aot", "xmem", "end-to-end"]


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Time a network: by default one frame inside the compiled scan.

    Every combination of the options that take several values is a row; all rows take turns.

    Attributes:
      config: the configuration file of the network.
      checkpoint: the folder of weights to time; by default fresh ones, which are as fast.
      against: configuration files of other networks to time in turns with the first.
      sizes: heights and widths of the frames, such as 480x854.
      objects: objects in the video.
      precisions: precisions of products and convolutions; by default the configuration's.
      chunk_frames: frames of one scan.
      videos: videos segmented at once; for more than one, only the frame in the scan is timed.
      measure: a frame in the scan, or frames a second by these protocols.
      frames: frames of one sample of the scan.
      video_frames: frames of the videos that the protocols time.
      repeats: rounds of which medians are reported.
      json: a file for the results.
    """

    config: Path | None = None
    checkpoint: Path | None = None
    against: tuple[Path, ...] = ()
    sizes: tuple[str, ...] = ("481x849",)
    objects: tuple[int, ...] = (2,)
    precisions: tuple[Precision, ...] = ()
    chunk_frames: tuple[int, ...] = (4,)
    videos: tuple[int, ...] = (1,)
    measure: tuple[Measurement, ...] = ("frame",)
    frames: int = 4
    video_frames: int = 12
    repeats: int = 5
    json: Path | None = None

    def __post_init__(self) -> None:
        require_range(self, frames=1, repeats=1, video_frames=2, chunk_frames=1, videos=1)
        require_range(self, MAX_ID, objects=1)
        for size in self.sizes:
            read_size(size, "--sizes")

    def cases(self, networks: Sequence[Contender]) -> "Iterator[Case]":
        """Yields every combination of the options."""
        precisions = self.precisions or (networks[0].experiment.inference.precision,)
        sizes = map(read_size, self.sizes)
        settings = itertools.product(sizes, self.objects, workload.available(precisions))
        several = [Setting(*setting) for setting in dict.fromkeys(settings)]
        for values in itertools.product(networks, several, self.chunk_frames, self.videos):
            yield Case(*values)


class Case(NamedTuple):
    """What a row is about."""

    network: Contender
    setting: Setting
    chunk_frames: int
    videos: int

    def __str__(self) -> str:
        return f"{self.network.experiment.name}, {self.setting}"


def main(argv: Sequence[str] | None = None) -> None:
    """Times what the command line asks for."""
    # Or else the first process would keep the memory that others are measured in.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    arguments, experiment = parse_experiment(Arguments, argv, ("inference", "memory.gap"))
    if arguments.json is not None:
        require_writable_parent(arguments.json)
    networks = workload.read_networks(experiment, arguments.checkpoint, arguments.against)
    rows = measure_rows(networks, arguments)
    print(measuring.table(rows))
    measuring.write_report(arguments.json, arguments, rows=rows)


def measure_rows(networks: Sequence[Contender], arguments: Arguments) -> list[dict[str, Any]]:
    """Measures every combination of the options; returns values by the names of columns."""
    variables = {network: network.variables() for network in networks}
    scans: dict[Case, Scan] = {}
    samplers: dict[Case, measuring.Sampler] = {}
    for case in arguments.cases(networks):
        load = Workload.build(case.network.experiment, variables[case.network], case.setting)
        if "frame" in arguments.measure:
            say(f"{case}: compiling the scan over {case.chunk_frames} frames")
            scans[case] = Scan(load, case.chunk_frames, case.videos)
            say(f"compiled in {scans[case].program.compilation_s:.1f} s")
        samplers[case] = functools.partial(_sample, case, load, scans.get(case), arguments)
    say(f"timing {', '.join(arguments.measure)} of {len(samplers)} in turns")
    turns = measuring.measure_in_turns(samplers, arguments.repeats)
    return [_row(case, scans.get(case), turns[case]) for case in samplers]


def _sample(
    case: Case, load: Workload, scan: Scan | None, arguments: Arguments
) -> dict[str, float]:
    found: dict[str, float] = {}
    length = arguments.video_frames
    if scan is not None:
        found["frame"] = scan.frame_seconds(workload.NEVER, arguments.frames)
        found["written"] = scan.frame_seconds(1, arguments.frames)
    if case.videos == 1 and {"aot", "xmem"} & set(arguments.measure):
        found |= protocols.speeds(protocols.frame_seconds(load, length))
    if case.videos == 1 and "end-to-end" in arguments.measure:
        found["end-to-end"] = protocols.end_to_end_speed(load, case.chunk_frames, length)
    return found


def _row(case: Case, scan: Scan | None, found: Mapping[str, measuring.Timing]) -> dict[str, Any]:
    """Returns the columns of a case; times are of a frame of one video, ``scan_FPS`` is of all."""
    frame, written = found.get("frame"), found.get("written")
    scan_fps = None
    if frame is not None and written is not None:
        gap = case.network.experiment.memory.gap
        scan_fps = 1 / (frame.median + (written.median - frame.median) / gap)
    return {
        "network": case.network.experiment.name,
        "size": "x".join(map(str, case.setting.size)),
        "objects": case.setting.objects,
        "precision": case.setting.precision,
        "chunk_frames": case.chunk_frames,
        "videos": case.videos,
        "frame_ms": frame and frame.times(1e3),
        "frame_with_write_ms": written and written.times(1e3),
        "scan_FPS": scan_fps,
        **{f"{name}_FPS": found.get(name) for name in ("aot", "xmem", "end-to-end")},
        **measuring.program_figures(scan and scan.program),
        "carried_MB": scan and scan.carry_bytes / 1e6,
        "peak_MB": _peak_megabytes(case) if case.videos == 1 else None,
    }


def _peak_megabytes(case: Case) -> float | None:
    """Returns the allocator's peak over a video with a write; None where there is no allocator."""
    if jax.default_backend() == "cpu":
        return None
    job = protocols.Job(case.network, case.setting, case.network.experiment.memory.gap + 2)
    try:
        outcome = protocols.run_in_own_process(job)
    except RuntimeError as error:  # after all rounds, whose times must not be lost
        say(f"no peak memory: {error}")
        return None
    if not isinstance(outcome, protocols.Outcome):
        return None
    name, num_bytes = outcome.memory
    return num_bytes / 1e6 if name == "peak device memory" else None  # else it ran on the CPU


if __name__ == "__main__":
    main_with_errors(main)
