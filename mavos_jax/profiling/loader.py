"""Measures how fast clips are loaded: ``python -m mavos_jax.profiling.loader``.

Prints JSON: frames a second in all, and for each second of processor time of the loader. Every
repeat measures each case once, so that a machine that slows down slows all of them.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mavos_jax.config.data import DataConfig, SourceConfig
from mavos_jax.data.draws import ClipRecipe, VideoKey
from mavos_jax.data.loader import make_loader
from mavos_jax.datasets import open_source
from mavos_jax.generated.video import SyntheticVideo
from mavos_jax.media.samples import VideoSet

_VIDEO = (480, 854)
_NUM_VIDEOS = 4
_NUM_FRAMES = 12
_CLIP_FRAMES = 8
_BATCH = 2


@dataclasses.dataclass(frozen=True)
class Case:
    """What is loaded.

    Attributes:
      name: words for the table.
      data: the configuration, but for its workers.
      size: height and width of generated frames, in pixels.
    """

    name: str
    data: DataConfig
    size: tuple[int, int]

    def open(self) -> VideoSet:
        """Opens its set."""
        return open_source(self.data.sources[0], self.size)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description="Measures how fast clips are loaded.")
    parser.add_argument("--workers", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--repeats", type=int, default=3, help="medians are of so many")
    parser.add_argument("--seconds", type=float, default=5.0, help="of one measurement")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cases = _cases(Path(folder))
        found: dict[tuple[str, str], list[float]] = {}
        for _ in range(arguments.repeats):
            for case in cases:
                rate = measure_core(case, arguments.seconds)
                found.setdefault((case.name, "frames_per_core_second"), []).append(rate)
                for workers in arguments.workers:
                    data = dataclasses.replace(case.data, workers=workers)
                    rate = measure_loader(data, [case.open()], _BATCH, arguments.seconds)
                    key = (case.name, f"frames_per_second_{workers}_workers")
                    found.setdefault(key, []).append(rate)
    print(json.dumps(_describe(found), indent=2))


def measure_core(case: Case, seconds: float) -> float:
    """Frames for each second of processor time, without any loader around."""
    recipe = ClipRecipe(case.data, (case.open(),), (1.0,))
    recipe.draw(VideoKey(0, 0), np.random.default_rng(0))
    frames, end, start = 0, time.perf_counter() + seconds, time.process_time()
    while time.perf_counter() < end:
        number = frames % len(recipe.sets[0])
        recipe.draw(VideoKey(0, number), np.random.default_rng(frames))
        frames += _CLIP_FRAMES
    return frames / (time.process_time() - start)


def measure_loader(data: DataConfig, sets: Sequence[VideoSet], batch: int, seconds: float) -> float:
    """Frames for each second by the clock, after the batches that were waiting have been taken.

    Args:
      data: the configuration, with its workers.
      sets: its sources, opened.
      batch: clips of a batch.
      seconds: for which to measure.
    """
    with make_loader(data, sets, seed=0, batch_size=batch) as loader:
        for _ in range(2 * data.prefetch + 3):
            next(loader)
        frames, start = 0, time.perf_counter()
        while time.perf_counter() < start + seconds:
            next(loader)
            frames += batch * data.clip_frames
        return frames / (time.perf_counter() - start)


def _cases(folder: Path) -> list[Case]:
    generated = DataConfig(clip_frames=_CLIP_FRAMES, short_edge=0, threads=1)
    _write_videos(folder)
    files = SourceConfig(kind="folder", root=str(folder))
    return [
        *(
            Case(
                f"synthetic {crop}x{crop}", dataclasses.replace(generated, crop=crop), (crop, crop)
            )
            for crop in (129, 193)
        ),
        Case(
            f"JPEG {_VIDEO[0]}x{_VIDEO[1]} to 465x465",
            DataConfig((files,), clip_frames=_CLIP_FRAMES, threads=1),
            _VIDEO,
        ),
    ]


def _write_videos(root: Path) -> None:
    """Writes generated videos as folders of JPEG frames and indexed PNG masks."""
    for seed in range(_NUM_VIDEOS):
        video = SyntheticVideo(seed + 1, _NUM_FRAMES, *_VIDEO)
        for index in range(_NUM_FRAMES):
            frame, mask = video[index]
            for part, kind, suffix in (
                (frame, "JPEGImages", "jpg"),
                (mask, "Annotations", "png"),
            ):
                file = root / kind / f"{seed:02d}" / f"{index:05d}.{suffix}"
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(part).save(file, quality=92)


def _describe(found: dict[tuple[str, str], list[float]]) -> dict[str, Any]:
    cases: dict[str, dict[str, dict[str, float]]] = {}
    for (case, name), rates in found.items():
        summary = {
            "median": round(statistics.median(rates), 1),
            "lowest": round(min(rates), 1),
            "highest": round(max(rates), 1),
        }
        cases.setdefault(case, {})[name] = summary
    return {"machine": platform.machine(), "cores": os.cpu_count(), "cases": cases}


if __name__ == "__main__":
    main()
