"""How fast clips are loaded: ``python -m mavos_jax.profiling.loader``."""

import dataclasses
import functools
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from mavos_jax.commands.errors import main_with_errors
from mavos_jax.commands.parser import parse_command, require_range
from mavos_jax.config.data import DataConfig, SourceConfig
from mavos_jax.data.clips import ClipRecipe, VideoKey
from mavos_jax.data.loader import make_loader
from mavos_jax.datasets import open_source
from mavos_jax.generated.video import SyntheticVideo
from mavos_jax.media.samples import VideoSet
from mavos_jax.profiling.measuring import measure_in_turns, table

_VIDEO = (480, 854)
_BATCH = 2


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Measure how fast clips of generated videos and of JPEG files are loaded, in frames a second.

    Attributes:
      workers: numbers of loader processes to measure with.
      repeats: rounds of which medians are reported.
      seconds: seconds of one measurement.
    """

    workers: tuple[int, ...] = (0, 1, 2)
    repeats: int = 3
    seconds: float = 5.0

    def __post_init__(self) -> None:
        require_range(self, workers=0, repeats=1)


def main(argv: Sequence[str] | None = None) -> None:
    """Measures and prints."""
    arguments, _ = parse_command(Arguments, argv)
    with tempfile.TemporaryDirectory() as folder:
        samplers = {
            name: functools.partial(_sample, data, size, arguments)
            for name, (data, size) in _cases(Path(folder)).items()
        }
        found = measure_in_turns(samplers, arguments.repeats)
    print(table([{"clips": name, **rates} for name, rates in found.items()]))


def measure_core(data: DataConfig, videos: VideoSet, seconds: float) -> float:
    """Frames for each second of processor time, without any loader around."""
    recipe = ClipRecipe(data, (videos,), (1.0,))
    recipe.draw(VideoKey(0, 0), np.random.default_rng(0))
    frames, end, start = 0, time.perf_counter() + seconds, time.process_time()
    while time.perf_counter() < end:
        recipe.draw(VideoKey(0, frames % len(videos)), np.random.default_rng(frames))
        frames += data.clip_frames
    return frames / (time.process_time() - start)


def measure_loader(data: DataConfig, sets: Sequence[VideoSet], batch: int, seconds: float) -> float:
    """Frames a second by the clock, after the batches that were waiting have been taken."""
    with make_loader(data, sets, seed=0, batch_size=batch) as loader:
        for _ in range(2 * data.prefetch + 3):
            next(loader)
        frames, start = 0, time.perf_counter()
        while time.perf_counter() < start + seconds:
            next(loader)
            frames += batch * data.clip_frames
        return frames / (time.perf_counter() - start)


def _sample(data: DataConfig, size: tuple[int, int], arguments: Arguments) -> Mapping[str, float]:
    videos = open_source(data.sources[0], size)
    found = {"per_core_second": measure_core(data, videos, arguments.seconds)}
    for workers in arguments.workers:
        data = dataclasses.replace(data, workers=workers)
        found[f"{workers}_workers"] = measure_loader(data, [videos], _BATCH, arguments.seconds)
    return found


def _cases(folder: Path) -> dict[str, tuple[DataConfig, tuple[int, int]]]:
    drawn = {
        f"synthetic {crop}x{crop}": (DataConfig(crop=crop, short_edge=0, threads=1), (crop, crop))
        for crop in (129, 193)
    }
    _write_videos(folder)
    read = DataConfig((SourceConfig(kind="folder", root=str(folder)),), threads=1)
    return {**drawn, f"JPEG {_VIDEO[0]}x{_VIDEO[1]} to {read.crop}x{read.crop}": (read, _VIDEO)}


def _write_videos(root: Path) -> None:
    for seed in range(4):
        video = SyntheticVideo(seed + 1, 12, *_VIDEO)
        for index in range(len(video)):
            frame, mask = video[index]
            for part, name in ((frame, "JPEGImages/{}.jpg"), (mask, "Annotations/{}.png")):
                file = root / name.format(f"{seed:02d}/{index:05d}")
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(part).save(file, quality=92)


if __name__ == "__main__":
    main_with_errors(main)
