"""A video segmented in a process of its own, whose peak of memory is that of the video alone."""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
from typing import NamedTuple

import jax

from mavos_jax.models.memory import POLICIES
from mavos_jax.profiling.protocols import frame_seconds, speeds
from mavos_jax.profiling.workload import Network, Setting, Workload
from mavos_jax.runtime.compilation import keep_compilations
from mavos_jax.runtime.devices import peak_memory

_PROGRAM = "from mavos_jax.profiling.own_process import serve; serve()"


class Job(NamedTuple):
    """A video to segment; ``gap`` replaces the network's frames between two long-term writes."""

    network: Network
    setting: Setting
    num_frames: int
    gap: int | None = None

    def warming(self) -> Job:
        """Returns a shorter video that compiles the same programs.

        With a write after every frame a bank soon reaches its full size.
        """
        memory = self.network.experiment.memory
        writes = memory.capacity if POLICIES[memory.policy].places is None else 2
        return self._replace(num_frames=min(self.num_frames, writes + 2), gap=1)


class Outcome(NamedTuple):
    """Frames a second by protocol; what was measured of memory, and its peak in bytes."""

    fps: dict[str, float]
    memory: tuple[str, int]


def run_in_own_process(job: Job) -> Outcome | str:
    """Segments a video in a new process; returns the reason where memory runs out."""
    ended = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        input=pickle.dumps(job),
        stdout=subprocess.PIPE,
        check=False,
    )
    if ended.returncode == -signal.SIGKILL:
        return "killed, as the system does where memory runs out"
    if ended.returncode:
        raise RuntimeError(f"the process of {job.num_frames} frames ended with {ended.returncode}")
    return pickle.loads(ended.stdout)


def serve() -> None:
    """Segments the video on the standard input; what it took goes to the standard output."""
    job = pickle.load(sys.stdin.buffer)
    keep_compilations()
    try:
        result = _segment(job)
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        result = "out of memory"
    sys.stdout.buffer.write(pickle.dumps(result))


def _segment(job: Job) -> Outcome:
    experiment, variables = job.network.experiment, job.network.variables()
    workload = Workload.build(experiment, variables, job.setting)
    seconds = frame_seconds(workload, job.num_frames, job.gap)
    return Outcome(speeds(seconds), peak_memory())
