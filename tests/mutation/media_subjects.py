"""Pictures, masks and videos, as inference, benchmarks and training read them."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
from mutation.boxes import change_video, other_videos, sound_videos
from mutation.changes import Change, change_bytes
from mutation.pictures import SIZE, draw_mask
from mutation.subject import Places, Reader, Subject, put, require_array, require_lines

from mavos_jax.commands import masks
from mavos_jax.config import SourceConfig
from mavos_jax.datasets import BenchmarkOptions, check_benchmark, open_benchmark, open_source
from mavos_jax.evaluation.reading import read_given
from mavos_jax.evaluation.sharing import check_sequences
from mavos_jax.media.frames import open_frames
from mavos_jax.media.masks import read_mask, read_values, write_mask
from mavos_jax.media.sequence import open_sequence

_NUM_FRAMES = 3


class Pictures(Subject):
    """A sequence of frames and masks, one of which is damaged."""

    def __init__(
        self, suffix: str, sound: Callable[[], list[bytes]], change: Change, places: Places
    ) -> None:
        super().__init__(places)
        self.suffix, self.sources, self.change = suffix, sound(), change
        self.frames, self.masks = places.tree / "JPEGImages/s", places.tree / "Annotations/s"
        for index in range(_NUM_FRAMES):
            put(self.frames / f"{index:05d}{self.suffix}", self.sources[0])
            write_mask(self.masks / f"{index:05d}.png", draw_mask())

    def damage(self, rng: random.Random) -> dict[str, bytes | None]:
        content = self.change(rng, rng.choice(self.sources))
        index = rng.choice((0, 0, 1))
        is_frame = rng.random() < 0.5
        folder, suffix = ("JPEGImages", self.suffix) if is_frame else ("Annotations", ".png")
        return {f"{folder}/s/{index:05d}{suffix}": content}

    def readers(self) -> tuple[Reader, ...]:
        readers = (self._segment, self._read_masks, self._evaluate, self._train, self._check)
        return (*readers, self._convert)

    def _segment(self) -> None:
        sequence = open_sequence(self.frames)
        assert sequence.frames.size == SIZE
        for frame in sequence.frames:
            require_array(frame, np.uint8, (*SIZE, 3))
        ids, palette = read_mask(sequence.annotations[0], SIZE)
        require_array(ids, np.uint8, SIZE)
        if palette is not None:
            require_array(palette, np.uint8, (256, 3))

    def _read_masks(self) -> None:
        for path in sorted(self.masks.iterdir()):
            ids, _ = read_mask(path, SIZE, allow_empty=True, is_drawn=False)
            require_array(ids, np.uint8, SIZE)

    def _evaluate(self) -> None:
        benchmark = open_benchmark(BenchmarkOptions("folder", "val", self.places.tree))
        (task,) = check_sequences(benchmark, None)
        for index in range(len(task.sequence.frames)):
            require_array(task.frame(index), np.uint8, (*task.stored, 3))
        for index in task.sequence.given:
            ids, _ = read_given(benchmark, task.sequence, index, task.stored)
            require_array(ids, np.uint8, task.stored)

    def _train(self) -> None:
        video = open_source(SourceConfig("folder", str(self.places.tree)))[0]
        for index in range(len(video)):
            sample = video[index]
            require_array(sample.frame, np.uint8, (*SIZE, 3))
            require_array(sample.mask, np.uint8, SIZE)
            require_array(video.mask(index), np.uint8, SIZE)

    def _check(self) -> None:
        options = BenchmarkOptions("folder", "val", self.places.tree)
        require_lines(check_benchmark(options), self.places.tree)

    def _convert(self) -> None:
        output = self.places.output / "ids"
        masks.main(["--input", str(self.masks), "--output", str(output)])
        for path in sorted(output.iterdir()):
            ids, palette = read_values(path)
            require_array(ids, np.uint8, ids.shape[:2])
            assert palette is not None


class Video(Subject):
    """Video files, most of them MP4."""

    def __init__(self, places: Places) -> None:
        super().__init__(places)
        self.sound, self.others = sound_videos(), other_videos()
        self.path: Path = places.tree / "clip.mp4"
        put(self.path, self.sound["h264 mp4"])

    def damage(self, rng: random.Random) -> dict[str, bytes | None]:
        is_other = rng.random() < 0.15
        name = rng.choice(list(self.others if is_other else self.sound))
        self.path = self.places.tree / f"clip.{name.split()[1]}"
        if is_other:
            return {self.path.name: change_bytes(rng, self.others[name])}
        return {self.path.name: change_video(rng, self.sound[name])}

    def readers(self) -> tuple[Reader, ...]:
        return (self._read,)

    def _read(self) -> None:
        frames = open_frames(self.path)
        for number, frame in enumerate(frames):
            require_array(frame, np.uint8, (*frames.size, 3))
            assert number < 1000, "more frames than there can be"
