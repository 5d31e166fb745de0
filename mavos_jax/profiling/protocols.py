"""Frames a second by the protocols of published figures, which are not comparable.

``aot``: frames 1 to T - 1, one at a time, from the frame on the device to its mask and memory on
the device. ``xmem``: the same for all frames, the first included. ``end-to-end``: from reading JPEG
files to written PNG files, in wall-clock time. None of them includes compilation.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from mavos_jax.evaluation.one_video import segment_to_folder
from mavos_jax.evaluation.output import OutputFolder
from mavos_jax.evaluation.video_task import VideoTask
from mavos_jax.inference.video import stream_masks
from mavos_jax.media.masks import write_mask
from mavos_jax.models.mavos import build_model
from mavos_jax.profiling.measuring import Sampler
from mavos_jax.profiling.workload import Workload
from mavos_jax.runtime.compilation import CompilationClock
from mavos_jax.runtime.devices import products_in


def frame_seconds(workload: Workload, num_frames: int, gap: int | None = None) -> list[float]:
    """Returns the time of every frame of a video, less what was compiled in it.

    ``gap`` replaces the network's own number of frames between two long-term writes.
    """
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
    return {
        "aot": (len(seconds) - 1) / (total - seconds[0]),
        "xmem": len(seconds) / total,
    }


def end_to_end_sampler(workload: Workload, chunk_frames: int, num_frames: int) -> Sampler:
    """Measures a video by ``end-to-end``, in a temporary folder."""
    config = workload.model.config
    inference = dataclasses.replace(config.inference, chunk_frames=chunk_frames)
    model = build_model(dataclasses.replace(config, inference=inference))

    def sample() -> dict[str, float]:
        with tempfile.TemporaryDirectory() as name, products_in(workload.setting.precision):
            root = Path(name)
            mask = _write_video(root / "frames", workload, num_frames)
            task = VideoTask.open(root / "frames", mask, workload.setting.objects)
            output = OutputFolder(root / "result")
            report = segment_to_folder(model, workload.variables, task, output)
        return {"end-to-end": report.num_frames / (report.seconds - report.compilation_seconds)}

    return sample


def _write_video(folder: Path, workload: Workload, num_frames: int) -> Path:
    """Writes the frames as JPEG files; returns the file of the first mask."""
    folder.mkdir()
    for index, frame in enumerate(workload.video(num_frames)):
        Image.fromarray(np.ascontiguousarray(frame)).save(folder / f"{index:05d}.jpg", quality=95)
    mask = folder.parent / "mask.png"
    write_mask(mask, np.ascontiguousarray(workload.mask))
    return mask
