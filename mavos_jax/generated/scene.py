"""What a generated video shows: bodies, background, camera and light.

World coordinates are the pixels (x, y) of the first frame; pixel i covers [i, i + 1).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from PIL import Image

from mavos_jax.generated.motion import Affine, Camera, Path
from mavos_jax.generated.outline import Outline
from mavos_jax.generated.surface import Material


class Body(NamedTuple):
    """Something that moves in front of the background.

    Attributes:
      outline: in a disc of radius 1.
      radius: of the disc, in pixels.
      angle: at frame 0, in radians.
      path: where it is.
      surface: what it looks like, mode "RGB".
      material: what the surface was cut from.
      original: index of the labelled object that it was made to resemble, or None.
    """

    outline: Outline
    radius: float
    angle: float
    path: Path
    surface: Image.Image
    material: Material
    original: int | None = None

    def world(self, index: int) -> Affine:
        """The map from the outline's disc to the world at frame ``index``."""
        place = self.path.place(index)
        scale, angle = self.radius * place.size, self.angle + place.angle
        cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
        return Affine(cosine, -sine, place.x, sine, cosine, place.y)


class Light(NamedTuple):
    """Gain of each colour over time, and what the lens and the sensor add.

    Attributes:
      gain: mean, float [3].
      swing: amplitude, float [3], and rate in radians a frame of the gain.
      rate: of the swing, in radians a frame.
      falloff: light of each pixel, mode "RGB", or None if even.
      kernel: 3 x 3 weights of the blur, or None if sharp.
      blur_rate: in radians a frame of the blur's coming and going.
      noise: standard deviation, of 255.
    """

    gain: np.ndarray
    swing: np.ndarray
    rate: float
    falloff: Image.Image | None
    kernel: tuple[float, ...] | None
    blur_rate: float
    noise: float


class Scene(NamedTuple):
    """Everything that a generated video shows.

    Attributes:
      background: a picture, mode "RGB".
      to_background: the map from the world to the picture's texels.
      camera: where it is seen from.
      light: what falls on it.
      bodies: the labelled objects first; the first has id 1.
      num_objects: how many bodies are labelled.
      far_to_near: indices of ``bodies`` in the order in which later ones hide earlier ones.
    """

    background: Image.Image
    to_background: Affine
    camera: Camera
    light: Light
    bodies: tuple[Body, ...]
    num_objects: int
    far_to_near: tuple[int, ...]
