"""Generated clips: textured bodies that move, turn and occlude one another under a moving camera.

Everything follows from the seed, and each frame from its index alone, so that a clip can be as long
as one likes without lying in memory.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from mavos_jax.data.scene import Body, Camera, Scene, background_texture, sample

_MIN_CELL = 6
_SENSOR_NOISE = 2.0 / 255.0


class Sample(NamedTuple):
    """One frame and its mask.

    Attributes:
      frame: uint8 RGB [H, W, 3].
      mask: uint8 object ids [H, W], 0 = background.
    """

    frame: np.ndarray
    mask: np.ndarray


class Clip(NamedTuple):
    """Frames and their masks.

    Attributes:
      frames: uint8 RGB [T, H, W, 3].
      masks: uint8 object ids [T, H, W], 0 = background.
    """

    frames: np.ndarray
    masks: np.ndarray


@dataclasses.dataclass(frozen=True)
class SyntheticVideo:
    """A generated video whose frames are drawn when they are asked for.

    In the first frame every object is visible and none touches another. Frame ``t`` does not depend
    on ``num_frames``: a longer video starts with the shorter one.

    Attributes:
      seed: what the scene and its motion are drawn from.
      num_frames: frames in the video.
      height: of the frames, in pixels.
      width: of the frames, in pixels.
      num_objects: objects, with ids 1 to ``num_objects`` (at most 254).
    """

    seed: int
    num_frames: int
    height: int
    width: int
    num_objects: int = 3

    def __post_init__(self) -> None:
        _require(self.seed >= 0, "seed", "an integer of at least 0", self.seed)
        _require(self.num_frames >= 1, "num_frames", "at least 1", self.num_frames)
        _require(1 <= self.num_objects <= 254, "num_objects", "1 to 254", self.num_objects)
        rows, columns = self._grid
        _require(
            min(self.height // rows, self.width // columns) >= _MIN_CELL,
            "height, width",
            f"at least {rows * _MIN_CELL} x {columns * _MIN_CELL} for {self.num_objects} objects",
            (self.height, self.width),
        )

    def frame(self, index: int) -> np.ndarray:
        """Draws frame ``index``, uint8 RGB [H, W, 3]."""
        return self[index].frame

    def mask(self, index: int) -> np.ndarray:
        """Draws the mask of frame ``index``, uint8 ids [H, W]."""
        y, x = self._world(self._index(index))
        return self._ids(index, y, x)

    def __len__(self) -> int:
        return self.num_frames

    def __getitem__(self, index: int) -> Sample:
        index = self._index(index)
        y, x = self._world(index)
        ids = self._ids(index, y, x)
        colours = sample(self._scene.background, y, x)
        for identity, body in enumerate(self._scene.bodies, 1):
            inside = ids == identity
            v, u = body.local(index, y[inside], x[inside])
            colours[inside] = sample(body.texture, v, u)
        noise = np.random.default_rng((self.seed, index)).standard_normal(colours.shape, np.float32)
        colours += _SENSOR_NOISE * noise
        return Sample(np.rint(255.0 * np.clip(colours, 0.0, 1.0)).astype(np.uint8), ids)

    @property
    def frames(self) -> GeneratedFrames:
        """The frames alone, as a :class:`~mavos_jax.data.frames.FrameSource`."""
        return GeneratedFrames(self)

    @property
    def _grid(self) -> tuple[int, int]:
        """Rows and columns of near-square cells, one for each object in the first frame."""
        rows = max(1, round(math.sqrt(self.num_objects * self.height / max(self.width, 1))))
        rows = min(rows, self.num_objects)
        return rows, math.ceil(self.num_objects / rows)

    @functools.cached_property
    def _scene(self) -> Scene:
        rng = np.random.default_rng(self.seed)
        rows, columns = self._grid
        cell = min(self.height / rows, self.width / columns)
        background, camera = background_texture(rng), Camera.random(rng, self.height, self.width)
        reach = 0.3 * min(self.height, self.width)
        bodies = []
        for place in rng.permutation(rows * columns)[: self.num_objects]:
            centre = (
                (place // columns + 0.5) * self.height / rows,
                (place % columns + 0.5) * self.width / columns,
            )
            bodies.append(Body.random(rng, centre, cell, reach))
        return Scene(background, camera, tuple(bodies), tuple(rng.permutation(self.num_objects)))

    def _index(self, index: int) -> int:
        if not -self.num_frames <= index < self.num_frames:
            raise IndexError(f"expected a frame below {self.num_frames}, got {index}")
        return index % self.num_frames

    def _world(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """World coordinates (y, x), float32 [H, W], that the camera sees in frame ``index``."""
        y, x = np.mgrid[: self.height, : self.width].astype(np.float32)
        return self._scene.camera.world(index, y, x)

    def _ids(self, index: int, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        ids = np.zeros((self.height, self.width), np.uint8)
        for number in self._scene.far_to_near:
            ids[self._scene.bodies[number].covers(index, y, x)] = number + 1
        return ids


@dataclasses.dataclass(frozen=True)
class GeneratedFrames:
    """The frames of a :class:`SyntheticVideo`, as a frame source."""

    video: SyntheticVideo

    @property
    def origin(self) -> str:
        """Words for messages."""
        return f"the generated clip of seed {self.video.seed}"

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, in pixels."""
        return self.video.height, self.video.width

    @property
    def num_frames(self) -> int:
        """The number of frames."""
        return self.video.num_frames

    @property
    def frame_rate(self) -> Fraction:
        """Frames a second at which the motion looks natural."""
        return Fraction(24)

    def name(self, index: int) -> str:
        """The index, padded to five digits."""
        return f"{index:05d}"

    def __iter__(self) -> Iterator[np.ndarray]:
        for index in range(self.video.num_frames):
            yield self.video.frame(index)


def generate_clip(
    seed: int, *, num_frames: int, height: int, width: int, num_objects: int = 3
) -> Clip:
    """Draws a whole clip; see :class:`SyntheticVideo` for the arguments.

    Raises:
      ValueError: a number is out of range, or the frames are too small for so many objects.
    """
    video = SyntheticVideo(seed, num_frames, height, width, num_objects)
    frames, masks = zip(*(video[index] for index in range(num_frames)), strict=True)
    return Clip(np.stack(frames), np.stack(masks))


def _require(condition: bool, field: str, expected: str, found: object) -> None:
    if not condition:
        raise ValueError(f"{field}: expected {expected}, got {found!r}")
