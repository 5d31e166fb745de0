"""One training clip as a pure function of its place in the stream: chosen, augmented, merged."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np

from mavos_jax.config.data import DataConfig
from mavos_jax.data.augment import Crops, augment, paste_over
from mavos_jax.data.clips import draw_clip, repeat_image
from mavos_jax.datasets import DamagedSample
from mavos_jax.media.ids import pixel_threshold
from mavos_jax.media.samples import VideoSet

LEAST_FOREGROUND = 200
"""Pixels of foreground that a reference should exceed, in crops of 465 x 465."""

_TRIES = 20


class VideoKey(NamedTuple):
    """A video: the number of its set, and its own in the set."""

    set: int
    video: int


class Drawn(NamedTuple):
    """A clip with at least one object, and a line for each damaged sample that was replaced."""

    crops: Crops
    damaged: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class ClipRecipe:
    """How a clip is made from videos of several sets; it can be pickled, for loader processes.

    The ``shares`` of the sets add up to 1.
    """

    data: DataConfig
    sets: tuple[VideoSet, ...]
    shares: tuple[float, ...]

    def draw(self, key: VideoKey, rng: np.random.Generator) -> Drawn:
        """Draws a clip that starts from the video ``key``.

        Another video of the same set takes its place where the clip ends up without an object, or,
        with ``skip_damaged``, where a file cannot be read.

        Raises:
          DamagedSample: a file cannot be read, and damaged ones are not to be skipped.
          ValueError: twenty videos of the set gave no clip.
        """
        # Each try has a generator of its own, so that it does not depend on how many numbers an
        # earlier one has drawn before a file failed.
        seed, damaged = int(rng.integers(2**63)), []
        for attempt in range(_TRIES):
            rng = np.random.default_rng((seed, attempt))
            if attempt:
                key = VideoKey(key.set, int(rng.integers(len(self.sets[key.set]))))
            try:
                crops = self._merged(key, rng)
            except DamagedSample as error:
                if not self.data.skip_damaged:
                    words = f"{error}, or leave such samples out with --data.skip_damaged True"
                    raise DamagedSample(words) from error
                damaged.append(str(error))
            else:
                if crops.num_objects:
                    return Drawn(crops, tuple(damaged))
        raise ValueError(self._explain(key, damaged))

    def _merged(self, key: VideoKey, rng: np.random.Generator) -> Crops:
        crops = self._augmented(key, rng)
        merge = 1.0 if self.sets[key.set].is_static else self.data.merge
        if rng.random() < merge or not crops.num_objects:
            number = int(rng.choice(len(self.sets), p=self.shares))
            other = VideoKey(number, int(rng.integers(len(self.sets[number]))))
            crops = paste_over(crops, self._augmented(other, rng), self.data.max_objects, rng)
        return crops

    def _augmented(self, key: VideoKey, rng: np.random.Generator) -> Crops:
        videos, data = self.sets[key.set], self.data
        video = videos[key.video]
        if videos.is_static:
            return augment(repeat_image(video, data.clip_frames), data, rng)
        least = pixel_threshold(LEAST_FOREGROUND, data.crop)
        return augment(draw_clip(video, data.clip_frames, videos.max_gap, least, rng), data, rng)

    def _explain(self, key: VideoKey, damaged: list[str]) -> str:
        name = self.sets[key.set].name
        if damaged:
            return (
                f"{name}: expected samples that can be read, found {len(damaged)} damaged in "
                f"{_TRIES} clips, the last one: {damaged[-1]}"
            )
        return (
            f"{name}: expected clips with an object, found none in {_TRIES}; look at its masks, or "
            f"give crops larger than data.crop = {self.data.crop}"
        )
