"""Augmentation: one view for all frames of a video, one for every copy of a still image."""

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageEnhance, ImageFilter

from mavos_jax.config.data import DataConfig
from mavos_jax.media.ids import choose_ids, count_pixels, pixel_threshold, repack
from mavos_jax.media.samples import Sample

PADDING = (124, 116, 104)  # the RGB mean of ImageNet, around frames that are smaller than the crop
LEAST_OBJECT = 100  # pixels that an object of the reference should exceed, in crops of 465 x 465
_CROP_TRIES = 5

# Of still images.
_FLIP = 0.3
_ROTATION = 20.0
_TRANSLATION = 0.1
_SCALE = (0.9, 1.1)
_SHEAR = 10.0
_AREA = (0.8, 1.0)
_RATIO = (3 / 4, 4 / 3)
_STATIC_CROP_TRIES = 10
_LARGE = 1.5


class Clip(NamedTuple):
    """Frames as they are stored; the first is the reference."""

    samples: tuple[Sample, ...]  # T frames and masks, all the same for a still image
    is_static: bool  # whether they come from one still image


class Crops(NamedTuple):
    """A clip at the size of the crops, with ids 1..n of the reference's objects."""

    frames: np.ndarray  # uint8 RGB [T, S, S, 3]
    masks: np.ndarray  # uint8 [T, S, S]: 0 = background, 1..n the objects, 255 = ignored
    num_objects: int  # n, at most 10; all of them are in the reference


class View(NamedTuple):
    """Which part of a stored frame is seen, and where in the crop; the same for a whole clip."""

    box: tuple[float, float, float, float]  # left, top, right, bottom in stored pixels
    size: tuple[int, int]  # width and height of that part in the crop, in pixels
    offset: tuple[int, int]  # left and top of that part in the crop; around it is padding
    is_flipped: bool  # whether the crop is mirrored


def augment(clip: Clip, data: DataConfig, rng: Generator) -> Crops:
    """Turns stored frames into crops, with new ids for objects large enough in the reference."""
    least = pixel_threshold(LEAST_OBJECT, data.crop)
    tint = int(rng.integers(2**63)) if happens(data.clip_colour, rng) else None
    if clip.is_static:
        samples = _deform(clip.samples, tint, data, rng)
    else:
        view = draw_view(clip.samples[0].mask, data, least, rng)
        samples = [_look(sample, view, tint, data, rng) for sample in clip.samples]
    frames, masks = (np.stack(parts) for parts in zip(*samples, strict=True))
    counts = count_pixels(masks[0])
    ids = choose_ids(counts, counts > least, data.max_objects, rng)
    return Crops(frames, repack(masks, ids), len(ids))


def happens(probability: float, rng: Generator) -> bool:
    """Draws whether something happens; without a draw at 0, so that other clips stay the same."""
    return probability > 0 and rng.random() < probability


def draw_view(reference: np.ndarray, data: DataConfig, least: float, rng: Generator) -> View:
    """Draws a view, at most five times, until it shows over ``least`` pixels of an object."""
    height, width = reference.shape
    factor = rng.uniform(*data.scale)
    if data.short_edge:
        factor *= data.short_edge / min(height, width)
    scaled = [max(1, round(factor * edge)) for edge in (width, height)]
    size = (min(scaled[0], data.crop), min(scaled[1], data.crop))
    image = Image.fromarray(reference)
    box = (0.0, 0.0, float(width), float(height))
    for _ in range(_CROP_TRIES):
        left, top = (int(rng.integers(scaled[i] - size[i] + 1)) for i in (0, 1))
        x, y = width / scaled[0], height / scaled[1]
        # Rounding must not take the box outside the frame, which Pillow refuses.
        right, bottom = min(width, (left + size[0]) * x), min(height, (top + size[1]) * y)
        box = (left * x, top * y, right, bottom)
        seen = np.asarray(image.resize(size, Image.Resampling.NEAREST, box))
        if (count_pixels(seen) > least).any():
            break
    left, top = (int(rng.integers(data.crop - size[i] + 1)) for i in (0, 1))
    return View(box, size, (left, top), bool(rng.random() < data.flip))


def _look(sample: Sample, view: View, tint: int | None, data: DataConfig, rng: Generator) -> Sample:
    # Scaling with a box reads and writes only the pixels of the crop.
    image = Image.fromarray(sample.frame).resize(view.size, Image.Resampling.BICUBIC, view.box)
    mask = Image.fromarray(sample.mask).resize(view.size, Image.Resampling.NEAREST, view.box)
    frame, ids = np.asarray(recolour(image, data, rng, tint)), np.asarray(mask)
    if view.is_flipped:
        frame, ids = frame[:, ::-1], ids[:, ::-1]
    if view.size == (data.crop, data.crop):
        return Sample(frame, ids)
    padded = np.full((data.crop, data.crop, 3), PADDING, np.uint8)
    padded_ids = np.zeros((data.crop, data.crop), np.uint8)
    (left, top), (width, height) = view.offset, view.size
    shown = slice(top, top + height), slice(left, left + width)
    padded[shown], padded_ids[shown] = frame, ids
    return Sample(padded, padded_ids)


def _deform(
    samples: Sequence[Sample], tint: int | None, data: DataConfig, rng: Generator
) -> list[Sample]:
    """Deforms copies of one image, by one map of coordinates: the recipe of the stage ``pre``."""
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
        frame = image.transform(size, affine, numbers, Image.Resampling.BICUBIC, fillcolor=PADDING)
        ids = mask.transform(size, affine, numbers, Image.Resampling.NEAREST)
        copies.append(Sample(np.asarray(recolour(frame, data, rng, tint)), np.asarray(ids)))
    return copies


def _shrink(sample: Sample, crop: int) -> tuple[Image.Image, Image.Image]:
    """Shrinks an image that is much larger than the crops, because the deformation aliases."""
    image, mask = Image.fromarray(sample.frame), Image.fromarray(sample.mask)
    factor = _LARGE * crop / min(image.size)
    if factor >= 1:
        return image, mask
    size = (round(factor * image.width), round(factor * image.height))
    return image.resize(size, Image.Resampling.BICUBIC), mask.resize(size, Image.Resampling.NEAREST)


def _draw_affine(width: int, height: int, rng: Generator) -> np.ndarray:
    """Draws a map of coordinates (x, y, 1) about the centre of the image, [3, 3]."""
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


def _draw_crop(width: int, height: int, crop: int, rng: Generator) -> np.ndarray:
    """Draws a part of the image; returns the map from coordinates of the crop to it, [3, 3]."""
    for _ in range(_STATIC_CROP_TRIES):
        area = rng.uniform(*_AREA) * width * height
        ratio = math.exp(rng.uniform(math.log(_RATIO[0]), math.log(_RATIO[1])))
        w, h = math.sqrt(area * ratio), math.sqrt(area / ratio)
        if w <= width and h <= height:
            left, top = rng.uniform(0, width - w), rng.uniform(0, height - h)
            break
    else:  # the largest centred part of an allowed ratio
        w, h = min(width, height * _RATIO[1]), min(height, width / _RATIO[0])
        left, top = (width - w) / 2, (height - h) / 2
    return np.array([[w / crop, 0.0, left], [0.0, h / crop, top], [0.0, 0.0, 1.0]])


_CHANGES = ((ImageEnhance.Brightness, 0.4), (ImageEnhance.Contrast, 0.4), (ImageEnhance.Color, 0.2))
_HUE = 0.1
_BLUR = (0.1, 2.0)
_HUE_STEPS = 256
_HUE_LEVELS = 25


def recolour(
    image: Image.Image, data: DataConfig, rng: Generator, tint: int | None = None
) -> Image.Image:
    """Applies new jitter, greying and blur to every frame, as the released code does.

    ``tint`` seeds a jitter of the whole clip, which comes first.
    """
    if tint is not None:
        image = jitter(image, np.random.default_rng(tint))
    if rng.random() < data.colour:
        image = jitter(image, rng)
    if rng.random() < data.grey:
        image = image.convert("L").convert("RGB")
    if rng.random() < data.blur:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(*_BLUR)))
    return image


def jitter(image: Image.Image, rng: Generator) -> Image.Image:
    """Changes brightness, contrast, saturation and hue, in random order."""
    factors = [rng.uniform(1 - most, 1 + most) for _, most in _CHANGES]
    hue = rng.uniform(-_HUE, _HUE)
    for number in rng.permutation(len(_CHANGES) + 1):
        if number < len(_CHANGES):
            image = _CHANGES[number][0](image).enhance(factors[number])
        else:
            image = turn_hue(image, hue)
    return image


def turn_hue(image: Image.Image, turn: float) -> Image.Image:
    """Turns the hue of an RGB image in HSV by a share of the full circle, rounded to 1/256."""
    steps = round(turn * _HUE_STEPS) % _HUE_STEPS
    return image.filter(_hue_table(steps)) if steps else image


@functools.cache
def _hue_table(steps: int) -> ImageFilter.Color3DLUT:
    """Turned colours at 25 levels of each channel, to interpolate (190 kB, at most 53 tables)."""
    # With value v, chroma c and hue h in sixths of the circle, a channel is
    # v - c * clip(min(k, 4 - k), 0, 1), where k = (h + 5, 3, 1 for red, green, blue) mod 6.
    levels = np.linspace(0.0, 1.0, _HUE_LEVELS)
    blue, green, red = np.meshgrid(levels, levels, levels, indexing="ij")
    value = np.maximum(np.maximum(red, green), blue)
    chroma = value - np.minimum(np.minimum(red, green), blue)
    divisor = np.where(chroma > 0, chroma, 1.0)
    hue = np.where(
        value == red,
        (green - blue) / divisor,
        np.where(value == green, (blue - red) / divisor + 2, (red - green) / divisor + 4),
    )
    place = (hue[..., None] + 6 * steps / _HUE_STEPS + np.array([5, 3, 1])) % 6
    share = np.clip(np.minimum(place, 4 - place), 0.0, 1.0)
    table = (value[..., None] - chroma[..., None] * share).astype(np.float32).reshape(-1)
    return ImageFilter.Color3DLUT(_HUE_LEVELS, table)  # pyright: ignore[reportArgumentType]
