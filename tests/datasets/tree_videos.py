"""The generated videos that the trees of data sets are made of."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from mavos_jax.generated.video import SyntheticVideo


class TreeVideo(NamedTuple):
    """A video of a tree.

    Attributes:
      name: of the sequence.
      seed: of the generated video.
      size: height and width of its frames, in pixels.
      num_frames: frames that are labelled or can be.
      ids: of its objects.
      starts: the frame at which each object appears.
    """

    name: str
    seed: int
    size: tuple[int, int]
    num_frames: int
    ids: tuple[int, ...]
    starts: tuple[int, ...]

    def draw(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Draws a frame, uint8 RGB [H, W, 3], and all its objects' ids, uint8 [H, W]."""
        frame, mask = _draw_frame(self.seed, self.size, len(self.ids), index)
        return frame, np.asarray([0, *self.ids], np.uint8)[mask]

    def visible(self, mask: np.ndarray, index: int) -> np.ndarray:
        """Leaves out objects of a mask that have not appeared at labelled frame ``index``."""
        present = [i for i, start in zip(self.ids, self.starts, strict=True) if start <= index]
        return np.where(np.isin(mask, present), mask, 0).astype(np.uint8)

    def ids_starting_at(self, index: int) -> tuple[int, ...]:
        """The objects that appear at labelled frame ``index``."""
        return tuple(i for i, start in zip(self.ids, self.starts, strict=True) if start == index)


@functools.cache
def _draw_frame(
    seed: int, size: tuple[int, int], num_objects: int, index: int
) -> tuple[np.ndarray, np.ndarray]:
    """Many tests write the same videos, and drawing is most of the time that it takes."""
    frame, mask = SyntheticVideo(seed, index + 1, *size, num_objects=num_objects)[index]
    return frame, mask


LATE_VIDEOS = (
    TreeVideo("bear", 3, (48, 64), 7, (1, 2), (0, 0)),
    TreeVideo("dog-2", 5, (64, 96), 5, (2, 5, 7), (0, 2, 0)),
    TreeVideo("dog-10", 8, (48, 64), 6, (1, 3), (0, 3)),
)
"""Videos of sets whose objects may appear late and have any ids, in natural order."""

DAVIS_VIDEOS = (
    LATE_VIDEOS[0],
    LATE_VIDEOS[1]._replace(ids=(1, 2, 3), starts=(0, 0, 0)),
    LATE_VIDEOS[2]._replace(ids=(1, 2), starts=(0, 0)),
)
"""The same with all objects in the first frame."""

LVOS_VIDEOS = (*LATE_VIDEOS[:2], LATE_VIDEOS[2]._replace(starts=(1, 3)))
"""The same where the first frame of the last has no object, nor a mask."""

LONG_VIDEOS = (
    TreeVideo("blueboy", 1, (48, 64), 8, (1,), (0,)),
    TreeVideo("rat", 2, (64, 96), 8, (255,), (0,)),
)
LONG_LABELLED = (1, 3, 5, 7)
"""The labelled frames of each of them."""

LISTED_STEP = 2
"""Frames of YouTube-VOS between listed ones, which start at this one."""
