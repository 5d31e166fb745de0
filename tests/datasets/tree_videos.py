"""The generated videos that the trees of data sets are made of."""

import functools
from typing import NamedTuple

import numpy as np

from mavos_jax.generated.video import SyntheticVideo


class TreeVideo(NamedTuple):
    """A video of a tree: ``starts`` are the labelled frames at which its objects appear."""

    name: str
    seed: int
    size: tuple[int, int]
    num_frames: int
    ids: tuple[int, ...]
    starts: tuple[int, ...]

    def frame(self, index: int) -> np.ndarray:
        return _draw(self.seed, self.size, len(self.ids), index)[0]

    def mask(self, index: int, at: int | None = None) -> np.ndarray:
        """The ids [H, W] of frame ``at`` that have appeared at labelled frame ``index``."""
        drawn = _draw(self.seed, self.size, len(self.ids), index if at is None else at)[1]
        starts = zip(self.ids, self.starts, strict=True)
        shown = [number if start <= index else 0 for number, start in starts]
        mask = np.asarray([0, *shown], np.uint8)[drawn]
        # The seeds are chosen so that objects are in view where they appear.
        assert set(self.ids_starting_at(index)) <= set(np.unique(mask).tolist()), self
        return mask

    def ids_starting_at(self, index: int) -> tuple[int, ...]:
        return tuple(i for i, start in zip(self.ids, self.starts, strict=True) if start == index)


@functools.cache
def _draw(
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
LVOS_VIDEOS = (*LATE_VIDEOS[:2], LATE_VIDEOS[2]._replace(starts=(1, 3)))
"""The first frame of the last has no object, nor a mask."""

LONG_VIDEOS = (
    TreeVideo("blueboy", 1, (48, 64), 8, (1,), (0,)),
    TreeVideo("rat", 2, (64, 96), 8, (255,), (0,)),
)
