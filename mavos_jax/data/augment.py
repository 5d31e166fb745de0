"""Augmentation of clips: one view for all frames of a video, colours drawn frame by frame."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image

from mavos_jax.config import IGNORED, MAX_OBJECTS
from mavos_jax.config.data import DataConfig
from mavos_jax.data.augment_static import deform
from mavos_jax.data.clips import Clip
from mavos_jax.data.colour import recolour
from mavos_jax.media.ids import choose_ids, count_pixels, pixel_threshold, repack
from mavos_jax.media.samples import Sample

PADDING = (124, 116, 104)
"""The RGB mean of ImageNet, around frames that are smaller than the crop."""

LEAST_OBJECT = 100
"""Pixels that an object of the reference should exceed, in crops of 465 x 465."""

_CROP_TRIES = 5


class Crops(NamedTuple):
    """A clip at the size of the crops, with ids 1..n of the reference's objects.

    Attributes:
      frames: uint8 RGB [T, S, S, 3].
      masks: uint8 [T, S, S]: 0 = background, 1..n the objects, 255 = ignored.
      num_objects: n, at most 10. All of them are in the reference.
    """

    frames: np.ndarray
    masks: np.ndarray
    num_objects: int


class View(NamedTuple):
    """What of a stored frame is seen where in the crop, the same for every frame of a clip.

    Attributes:
      box: left, top, right, bottom in stored pixels, fractions included.
      size: width and height of that part in the crop, in pixels.
      offset: left and top of that part in the crop, in pixels; around it is padding.
      is_flipped: whether the crop is mirrored.
    """

    box: tuple[float, float, float, float]
    size: tuple[int, int]
    offset: tuple[int, int]
    is_flipped: bool


def augment(clip: Clip, data: DataConfig, rng: np.random.Generator) -> Crops:
    """Turns the stored frames of a clip into crops and re-packs the ids.

    Kept are the objects with more than 100 pixels in the crop of the reference (fewer in crops
    smaller than 465 x 465, as :func:`~mavos_jax.media.ids.pixel_threshold` says), a random
    ``max_objects`` where there are more. There may be none.

    Args:
      clip: frames and masks; static ones are deformed frame by frame.
      data: crop, scale, probabilities and the number of objects.
      rng: draws.
    """
    least = pixel_threshold(LEAST_OBJECT, data.crop)
    if clip.is_static:
        samples = deform(clip.samples, data, PADDING, rng)
    else:
        view = draw_view(clip.samples[0].mask, data, least, rng)
        samples = [_look(sample, view, data, rng) for sample in clip.samples]
    frames, masks = (np.stack(parts) for parts in zip(*samples, strict=True))
    counts = count_pixels(masks[0])
    ids = choose_ids(counts, counts > least, data.max_objects, rng)
    return Crops(frames, repack(masks, ids), len(ids))


def draw_view(
    reference: np.ndarray, data: DataConfig, least: float, rng: np.random.Generator
) -> View:
    """Draws scale, crop, padding and flip.

    The crop is drawn up to five times, until the reference has an object of more than ``least``
    pixels in it.

    Args:
      reference: uint8 ids [H, W] as stored.
      data: crop, short edge, scale and the probability of a flip.
      least: in pixels of the crop.
      rng: draws.
    """
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


def _look(sample: Sample, view: View, data: DataConfig, rng: np.random.Generator) -> Sample:
    """Crops one frame (cubic) and its mask (nearest) and recolours the frame."""
    # Scaling with a box reads and writes the pixels of the crop alone.
    image = Image.fromarray(sample.frame).resize(view.size, Image.Resampling.BICUBIC, view.box)
    mask = Image.fromarray(sample.mask).resize(view.size, Image.Resampling.NEAREST, view.box)
    frame, ids = np.asarray(recolour(image, data, rng)), np.asarray(mask)
    if view.is_flipped:
        frame, ids = frame[:, ::-1], ids[:, ::-1]
    if view.size == (data.crop, data.crop):
        return Sample(frame, ids)
    padded = np.empty((data.crop, data.crop, 3), np.uint8)
    padded[:] = PADDING
    padded_ids = np.zeros((data.crop, data.crop), np.uint8)
    (left, top), (width, height) = view.offset, view.size
    padded[top : top + height, left : left + width] = frame
    padded_ids[top : top + height, left : left + width] = ids
    return Sample(padded, padded_ids)


def paste_over(clip: Crops, pasted: Crops, most: int, rng: np.random.Generator) -> Crops:
    """Pastes the foreground of a second clip over a first, frame by frame.

    Objects under 100 pixels in the merged reference (fewer in crops smaller than 465 x 465) become
    background, as do all but a random ``most``; the ids of the others are re-packed, the first
    clip's before the second's. What is ignored in the first stays so where nothing is pasted; what
    is ignored in the second is not pasted.

    Args:
      clip: below.
      pasted: above, of the same shape.
      most: objects that may be kept, at most 10.
      rng: chooses objects where there are more.
    """
    is_pasted = (pasted.masks > 0) & (pasted.masks != IGNORED)
    frames = np.where(is_pasted[..., None], pasted.frames, clip.frames)
    # uint8 is wide enough: both have ids of at most ten
    masks = np.where(is_pasted, pasted.masks + np.uint8(MAX_OBJECTS), clip.masks)
    counts = count_pixels(masks[0])
    is_large = counts >= pixel_threshold(LEAST_OBJECT, masks.shape[-1])
    ids = choose_ids(counts, is_large, most, rng)
    return Crops(frames, repack(masks, ids), len(ids))
