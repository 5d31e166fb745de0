"""Changes of colour and sharpness that do not touch masks."""

import functools

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageEnhance, ImageFilter

from mavos_jax.config.data import DataConfig

_BRIGHTNESS = 0.4
_CONTRAST = 0.4
_SATURATION = 0.2
_HUE = 0.1
_BLUR = (0.1, 2.0)
_HUE_STEPS = 256
_HUE_LEVELS = 25


def recolour(image: Image.Image, data: DataConfig, rng: Generator) -> Image.Image:
    """Applies colour jitter, greying and blur, each with its probability and anew for every frame.

    So does the released code (``video_transforms.py``); memory cannot rely on constant colours.
    """
    if rng.random() < data.colour:
        image = jitter(image, rng)
    if rng.random() < data.grey:
        image = image.convert("L").convert("RGB")
    if rng.random() < data.blur:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(*_BLUR)))
    return image


def jitter(image: Image.Image, rng: Generator) -> Image.Image:
    """Changes brightness, contrast, saturation and hue, in random order."""
    brightness = rng.uniform(1 - _BRIGHTNESS, 1 + _BRIGHTNESS)
    contrast = rng.uniform(1 - _CONTRAST, 1 + _CONTRAST)
    saturation = rng.uniform(1 - _SATURATION, 1 + _SATURATION)
    hue = rng.uniform(-_HUE, _HUE)
    for change in rng.permutation(4):
        if change == 0:
            image = ImageEnhance.Brightness(image).enhance(brightness)
        elif change == 1:
            image = ImageEnhance.Contrast(image).enhance(contrast)
        elif change == 2:
            image = ImageEnhance.Color(image).enhance(saturation)
        else:
            image = turn_hue(image, hue)
    return image


def turn_hue(image: Image.Image, turn: float) -> Image.Image:
    """Turns the hue of an RGB image in HSV by a share of the full circle, rounded to 1/256.

    The mean error is below half a level. torchvision's ``adjust_hue`` errs as much and takes nearly
    twice as long.
    """
    steps = round(turn * _HUE_STEPS) % _HUE_STEPS
    return image.filter(_hue_table(steps)) if steps else image


@functools.cache
def _hue_table(steps: int) -> ImageFilter.Color3DLUT:
    """Turned colours at 25 levels of each channel, for interpolation (190 kB, at most 53 tables).

    With value v, chroma c and hue h in sixths of the circle, a channel is
    v - c * clip(min(k, 4 - k), 0, 1), where k = (h + 5, 3, 1 for red, green, blue) mod 6.
    """
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
    colours = value[..., None] - chroma[..., None] * share
    table = colours.astype(np.float32).reshape(-1)
    return ImageFilter.Color3DLUT(_HUE_LEVELS, table)  # pyright: ignore[reportArgumentType]
