"""Clips from still images: every frame after the first is another deformation of the image."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

from mavos_jax.config.data import DataConfig
from mavos_jax.data.colour import recolour
from mavos_jax.media.samples import Sample

_FLIP = 0.3
_ROTATION = 20.0
_TRANSLATION = 0.1
_SCALE = (0.9, 1.1)
_SHEAR = 10.0
_AREA = (0.8, 1.0)
_RATIO = (3 / 4, 4 / 3)
_CROP_TRIES = 10
_LARGE = 1.5


def deform(
    samples: Sequence[Sample],
    data: DataConfig,
    padding: tuple[int, int, int],
    rng: np.random.Generator,
) -> list[Sample]:
    """Deforms copies of one image: the recipe of the stage ``pre``.

    The image is flipped with probability ``data.flip``; every copy after the first again with
    probability 0.3, and rotated, moved, scaled and sheared. All copies get a random crop, resized
    to ``data.crop`` pixels a side, and other colours.

    Flips, affine map and crop are one map of coordinates, so that pixels are interpolated once.

    Args:
      samples: T times the same image and mask.
      data: crop and probabilities.
      padding: RGB of what lies outside the image; its label is 0.
      rng: draws.
    """
    image, mask = _shrink(samples[0], data.crop)
    width, height = image.size
    mirror = np.diag([-1.0, 1.0, 1.0])
    mirror[0, 2] = width
    first = mirror if rng.random() < data.flip else np.eye(3)
    copies = []
    for index in range(len(samples)):
        to_stored = first
        if index:
            if rng.random() < _FLIP:
                to_stored = to_stored @ mirror
            to_stored = to_stored @ np.linalg.inv(_draw_affine(width, height, rng))
        to_stored = to_stored @ _draw_crop(width, height, data.crop, rng)
        numbers = tuple(to_stored[:2].ravel().tolist())
        size, affine = (data.crop, data.crop), Image.Transform.AFFINE
        frame = image.transform(size, affine, numbers, Image.Resampling.BICUBIC, fillcolor=padding)
        ids = mask.transform(size, affine, numbers, Image.Resampling.NEAREST)
        copies.append(Sample(np.asarray(recolour(frame, data, rng)), np.asarray(ids)))
    return copies


def _shrink(sample: Sample, crop: int) -> tuple[Image.Image, Image.Image]:
    """Scales an image that is much larger than the crops down, because the deformation aliases."""
    image, mask = Image.fromarray(sample.frame), Image.fromarray(sample.mask)
    factor = _LARGE * crop / min(image.size)
    if factor >= 1:
        return image, mask
    size = (round(factor * image.width), round(factor * image.height))
    return (
        image.resize(size, Image.Resampling.BICUBIC),
        mask.resize(size, Image.Resampling.NEAREST),
    )


def _draw_affine(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """Draws a map of coordinates (x, y, 1) about the centre of the image, [3, 3].

    Rotation by -20..20 degrees, then a move by -0.1..0.1 of width and height; before both a scale
    of 0.9..1.1 and a horizontal shear by -10..10 degrees.
    """
    angle = math.radians(rng.uniform(-_ROTATION, _ROTATION))
    shear = math.tan(math.radians(rng.uniform(-_SHEAR, _SHEAR)))
    scale = rng.uniform(*_SCALE)
    moved = rng.uniform(-_TRANSLATION, _TRANSLATION, 2) * (width, height)
    cos, sin = math.cos(angle), math.sin(angle)
    turned = scale * np.array([[cos, -sin], [sin, cos]]) @ np.array([[1.0, shear], [0.0, 1.0]])
    centre = np.array([width / 2, height / 2])
    affine = np.eye(3)
    affine[:2, :2] = turned
    affine[:2, 2] = centre + moved - turned @ centre
    return affine


def _draw_crop(width: int, height: int, crop: int, rng: np.random.Generator) -> np.ndarray:
    """Draws a part of the image and returns the map from coordinates of the crop to it, [3, 3].

    Its area is 0.8..1 of the image's and its width 3/4..4/3 of its height; the largest centred part
    of an allowed ratio where ten draws do not fit.
    """
    for _ in range(_CROP_TRIES):
        area = rng.uniform(*_AREA) * width * height
        ratio = math.exp(rng.uniform(math.log(_RATIO[0]), math.log(_RATIO[1])))
        w, h = math.sqrt(area * ratio), math.sqrt(area / ratio)
        if w <= width and h <= height:
            left, top = rng.uniform(0, width - w), rng.uniform(0, height - h)
            break
    else:
        w, h = min(width, height * _RATIO[1]), min(height, width / _RATIO[0])
        left, top = (width - w) / 2, (height - h) / 2
    return np.array([[w / crop, 0.0, left], [0.0, h / crop, top], [0.0, 0.0, 1.0]])
