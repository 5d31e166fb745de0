"""The parts of a generated scene: textures, a camera and the bodies that it looks at.

World coordinates are the pixels (y, x) of the first frame.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np

_BACKGROUND_TEXELS = 256
_BODY_TEXELS = 64


class Scene(NamedTuple):
    """Everything that a generated video shows.

    Attributes:
      background: a tiling texture, float32 [S, S, 3], one texel a pixel.
      camera: where it is seen from.
      bodies: the objects; the first has id 1.
      far_to_near: indices of ``bodies`` in the order in which later ones hide earlier ones.
    """

    background: np.ndarray
    camera: Camera
    bodies: tuple[Body, ...]
    far_to_near: tuple[int, ...]


class Camera(NamedTuple):
    """Pan, zoom and roll that swing about the first frame's view.

    Attributes:
      centre: of the frame, (y, x) in pixels.
      pan: amplitude, float [2] (y, x) in pixels.
      zoom: amplitude, as a share of the size.
      roll: amplitude, in radians.
      rates: of pan (y, x), zoom and roll, float [4] in radians a frame.
    """

    centre: tuple[float, float]
    pan: np.ndarray
    zoom: float
    roll: float
    rates: np.ndarray

    @classmethod
    def random(cls, rng: np.random.Generator, height: int, width: int) -> Camera:
        """Draws the camera of frames of ``height`` x ``width`` pixels."""
        return cls(
            (height / 2, width / 2),
            rng.uniform(-0.15, 0.15, 2) * (height, width),
            rng.uniform(-0.15, 0.15),
            rng.uniform(-0.15, 0.15),
            2 * np.pi / rng.uniform(80, 200, 4),
        )

    def world(self, index: int, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """World coordinates of the pixels (y, x) of frame ``index``."""
        swing = np.sin(self.rates * index)
        scale = 1.0 / (1.0 + self.zoom * float(swing[2]))
        y, x = rotate(self.roll * float(swing[3]), y - self.centre[0], x - self.centre[1])
        offset = np.asarray(self.centre) + self.pan * swing[:2]
        return scale * y + float(offset[0]), scale * x + float(offset[1])


class Body(NamedTuple):
    """An ellipse or a box that swings about its first place and turns.

    Attributes:
      shape: its outline.
      centre: its place in frame 0, (y, x) in pixels.
      half_axes: float [2] (y, x) in pixels.
      swing: amplitude, float [2] (y, x) in pixels.
      rates: of the swing, float [2] (y, x) in radians a frame.
      angle: in frame 0, in radians.
      spin: in radians a frame.
      texture: float32 [S, S, 3] in [0, 1], one texel a pixel.
    """

    shape: Literal["ellipse", "box"]
    centre: tuple[float, float]
    half_axes: np.ndarray
    swing: np.ndarray
    rates: np.ndarray
    angle: float
    spin: float
    texture: np.ndarray

    @classmethod
    def random(
        cls, rng: np.random.Generator, centre: tuple[float, float], cell: float, reach: float
    ) -> Body:
        """Draws a body.

        Args:
          rng: the source of chance.
          centre: its place in frame 0, (y, x) in pixels.
          cell: side of the square about ``centre`` that it does not leave in frame 0, in pixels.
          reach: the largest amplitude of its swing, in pixels.
        """
        return cls(
            "ellipse" if rng.random() < 0.5 else "box",
            centre,
            # Half a diagonal below half a cell: no body reaches its neighbours at first.
            rng.uniform(0.2, 0.34, 2) * cell,
            rng.uniform(-reach, reach, 2),
            2 * np.pi / rng.uniform(40, 120, 2),
            rng.uniform(0, 2 * np.pi),
            rng.uniform(-0.06, 0.06),
            # A strong tint sets a body apart from the background and from the others.
            0.4 * noise_texture(rng, _BODY_TEXELS) + 0.6 * rng.beta(0.4, 0.4, 3).astype(np.float32),
        )

    def local(self, index: int, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates about the body's centre and along its axes, in pixels."""
        place = np.asarray(self.centre) + self.swing * np.sin(self.rates * index)
        angle = self.angle + self.spin * index
        return rotate(angle, y - float(place[0]), x - float(place[1]))

    def covers(self, index: int, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Whether world coordinates lie on the body in frame ``index``."""
        v, u = self.local(index, y, x)
        v, u = v / float(self.half_axes[0]), u / float(self.half_axes[1])
        if self.shape == "ellipse":
            return v * v + u * u <= 1.0
        return np.maximum(np.abs(v), np.abs(u)) <= 1.0


def rotate(angle: float, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Turns the plane about its origin; ``angle`` in radians."""
    cosine, sine = math.cos(angle), math.sin(angle)
    return cosine * y + sine * x, cosine * x - sine * y


def background_texture(rng: np.random.Generator) -> np.ndarray:
    """A texture of middling contrast, float32 [S, S, 3] in [0, 1]."""
    return 0.2 + 0.6 * noise_texture(rng, _BACKGROUND_TEXELS)


def noise_texture(rng: np.random.Generator, size: int) -> np.ndarray:
    """Colour noise of several scales that tiles, float32 [size, size, 3] in [0, 1]."""
    texture = np.zeros((size, size, 3), np.float32)
    positions = np.arange(size, dtype=np.float32)
    for texels in (64, 16, 4):
        cells = size // texels
        grid = rng.random((cells, cells, 3), np.float32)
        y, x = np.meshgrid(positions / texels, positions / texels, indexing="ij")
        texture += sample(grid, y, x) * texels**0.5
    texture -= texture.min()
    return texture / texture.max()


def sample(texture: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Looks a tiling texture [S, S, 3] up at texel positions (y, x), bilinearly."""
    size = texture.shape[0]
    floor_y, floor_x = np.floor(y), np.floor(x)
    weight_y, weight_x = (y - floor_y)[..., None], (x - floor_x)[..., None]
    top, left = floor_y.astype(np.int64) % size, floor_x.astype(np.int64) % size
    bottom, right = (top + 1) % size, (left + 1) % size
    above = texture[top, left] * (1 - weight_x) + texture[top, right] * weight_x
    below = texture[bottom, left] * (1 - weight_x) + texture[bottom, right] * weight_x
    return above * (1 - weight_y) + below * weight_y
