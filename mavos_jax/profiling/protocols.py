"""Frames a second by the protocols of published figures, compilation left out.

``aot``: frames 1 to T - 1, each from the frame on the device to its mask and memory there.
``xmem``: the same for all frames. ``end-to-end``: from JPEG files to written PNG files.
"""

import contextlib
import dataclasses
import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from PIL import Image

from mavos_jax.evaluation.one_video import VideoTask, segment_to_folder
from mavos_jax.evaluation.output import OutputFolder
from mavos_jax.inference.video import stream_masks
from mavos_jax.media.masks import write_mask
from mavos_jax.models.mavos import build_model
from mavos_jax.models.memory import POLICIES
from mavos_jax.profiling.workload import Contender, Setting, Workload
from mavos_jax.runtime.compilation import CompilationClock, keep_compilations
from mavos_jax.runtime.devices import peak_memory, products_in

_PROGRAM = "from mavos_jax.profiling.protocols import serve; serve()"


def frame_seconds(workload: Workload, num_frames: int, gap: int | None = None) -> list[float]:
    """Returns the time of every frame of a video, less what was compiled in it."""
    seconds: list[float] = []
    compiled = 0.0
    with CompilationClock() as compilation, products_in(workload.setting.precision):

        def note(index: int, elapsed: float) -> None:
            nonlocal compiled
            seconds.append(elapsed - (compilation.seconds - compiled))
            compiled = compilation.seconds

        masks = stream_masks(
            *(workload.model, workload.variables, workload.video(num_frames), workload.mask),
            num_objects=workload.setting.objects,
            gap=gap,
            on_frame=note,
        )
        for _ in masks:
            pass
    return seconds


def speeds(seconds: Sequence[float]) -> dict[str, float]:
    """Returns frames a second by the protocols that time frame by frame."""
    total = sum(seconds)
    return {"aot": (len(seconds) - 1) / (total - seconds[0]), "xmem": len(seconds) / total}


def end_to_end_speed(workload: Workload, chunk_frames: int, num_frames: int) -> float:
    """Measures a video by ``end-to-end``, in a temporary folder."""
    config = workload.model.config
    inference = dataclasses.replace(config.inference, chunk_frames=chunk_frames)
    model = build_model(dataclasses.replace(config, inference=inference))
    with tempfile.TemporaryDirectory() as name, products_in(workload.setting.precision):
        root = Path(name)
        (root / "frames").mkdir()
        for index, frame in enumerate(workload.video(num_frames)):
            Image.fromarray(frame).save(root / "frames" / f"{index:05d}.jpg", quality=95)
        mask = root / "mask.png"
        write_mask(mask, np.ascontiguousarray(workload.mask))
        task = VideoTask.open(root / "frames", mask, workload.setting.objects)
        report = segment_to_folder(model, workload.variables, task, OutputFolder(root / "result"))
    return report.num_frames / (report.seconds - report.compilation_seconds)


class Job(NamedTuple):
    """A video to segment; ``gap`` replaces the network's frames between two long-term writes."""

    network: Contender
    setting: Setting
    num_frames: int
    gap: int | None = None

    def warming(self) -> "Job":
        """Returns a shorter video that writes every frame and compiles the same programs."""
        memory = self.network.experiment.memory
        writes = memory.capacity if POLICIES[memory.policy].places is None else 2
        return self._replace(num_frames=min(self.num_frames, writes + 2), gap=1)


class Outcome(NamedTuple):
    """Frames a second by protocol; what was measured of memory, and its peak in bytes."""

    fps: dict[str, float]
    memory: tuple[str, int]


def run_in_own_process(job: Job) -> Outcome | str:
    """Segments a video in a new process; returns the reason where memory runs out."""
    command = [sys.executable, "-c", _PROGRAM]
    ended = subprocess.run(command, input=pickle.dumps(job), stdout=subprocess.PIPE, check=False)
    if ended.returncode == -signal.SIGKILL:
        return "killed, as the system does where memory runs out"
    if ended.returncode:
        raise RuntimeError(f"the process of {job.num_frames} frames ended with {ended.returncode}")
    return pickle.loads(ended.stdout)


def serve() -> None:
    """Segments the video on the standard input; what it took goes to the standard output."""
    job: Job = pickle.load(sys.stdin.buffer)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # words would damage the result
            keep_compilations()
            workload = Workload.build(job.network.experiment, job.network.variables(), job.setting)
            fps = speeds(frame_seconds(workload, job.num_frames, job.gap))
            result = Outcome(fps, peak_memory())
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        result = "out of memory"
    sys.stdout.buffer.write(pickle.dumps(result))
