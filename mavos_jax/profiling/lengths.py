"""Speed and memory against the length of the video (paper Fig. 1).

Every video is segmented in a process of its own, frames are made on the way, and the memory is that
of the whole run. Networks and lengths take turns, after a round that compiles the programs: on a
CPU, where JAX keeps no count, compiling would be the peak.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

from mavos_jax.config import Experiment
from mavos_jax.models.memory import POLICIES
from mavos_jax.profiling.options import Arguments
from mavos_jax.profiling.own_process import Job, Outcome, run_in_own_process
from mavos_jax.profiling.precision import available
from mavos_jax.profiling.rounds import Timing
from mavos_jax.profiling.workload import Network, Setting


class LengthPoint(NamedTuple):
    """A network on videos of a length.

    Attributes:
      network: its name.
      setting: of the videos.
      num_frames: of the videos.
      bank_frames: frames that its memory bank has room for in the end; None without a bank.
      fps: frames a second by protocol; empty after a failure.
      memory_name: what was measured of memory.
      memory_bytes: its peak; None after a failure.
      failure: why there are no figures, if there are none.
    """

    network: str
    setting: Setting
    num_frames: int
    bank_frames: int | None
    fps: dict[str, Timing]
    memory_name: str | None
    memory_bytes: Timing | None
    failure: str | None


def measure_lengths(networks: Sequence[Network], arguments: Arguments) -> list[LengthPoint]:
    """Measures every network on every length."""
    precisions, _ = available(arguments.precisions or (networks[0].experiment.inference.precision,))
    setting = Setting(arguments.frame_sizes[0], arguments.objects[0], precisions[0])
    lengths = dict.fromkeys(arguments.lengths)
    jobs = [
        Job(_with_room(network, length, arguments), setting, length)
        for length in lengths
        for network in networks
    ]
    warmed = [run_in_own_process(job.warming()) for job in jobs]
    outcomes: list[list[Outcome | str]] = [
        [outcome] if isinstance(outcome, str) else [] for outcome in warmed
    ]
    for _ in range(arguments.repeats):
        for job, found in zip(jobs, outcomes, strict=True):
            if not any(isinstance(outcome, str) for outcome in found):
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


def _with_room(network: Network, num_frames: int, arguments: Arguments) -> Network:
    if arguments.bank == "configured":
        return network
    return network._replace(experiment=unbounded(network.experiment, num_frames))


def _point(job: Job, outcomes: list[Outcome | str]) -> LengthPoint:
    memory = job.network.experiment.memory
    failures = [outcome for outcome in outcomes if isinstance(outcome, str)]
    runs = [outcome for outcome in outcomes if isinstance(outcome, Outcome)]
    point = LengthPoint(
        network=job.network.experiment.name,
        setting=job.setting,
        num_frames=job.num_frames,
        bank_frames=memory.capacity if POLICIES[memory.policy].places is None else None,
        fps={},
        memory_name=None,
        memory_bytes=None,
        failure=failures[0] if failures else None,
    )
    if failures:
        return point
    return point._replace(
        fps={name: Timing.of([run.fps[name] for run in runs]) for name in runs[0].fps},
        memory_name=runs[0].memory[0],
        memory_bytes=Timing.of([float(run.memory[1]) for run in runs]),
    )
