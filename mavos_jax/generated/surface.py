"""Coloured surfaces of generated scenes: what bodies and the background look like."""

import math
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageChops, ImageDraw

from mavos_jax.generated.fields import FIELD_TEXELS, NUM_FIELDS, field

_LEVELS = np.arange(256)
BODY_TEXELS = 64


class Material(NamedTuple):
    """What a surface looks like, up to where on it one looks."""

    fields: tuple[int, int, int]  # patterns of the bank: coarse, fine, which of the two shows
    extents: tuple[float, float, float]  # texels of each that a surface is across
    palettes: np.ndarray  # colours of the two first patterns' grey levels, uint8 [2, 256, 3]
    share: float  # how much of the surface shows the fine pattern, in [0, 1]
    shade: float  # strength of the shading, in [0, 1]


def random_material(rng: Generator) -> Material:
    """Draws a body's material."""
    first, second, third = rng.integers(0, NUM_FIELDS, 3).tolist()
    palette = random_palette(rng)
    other = random_palette(rng) if rng.random() < 0.5 else palette[::-1]
    return Material(
        (first, second, third),
        (rng.uniform(24, 120), rng.uniform(40, 150), rng.uniform(16, 60)),
        np.stack([palette, other]),
        float(rng.choice([0.0, 0.0, rng.uniform(0.15, 0.85)])),
        float(rng.uniform(0.0, 0.7)),
    )


def tinted(rng: Generator, material: Material, distance: float) -> Material:
    """The same material in other colours, ``distance`` away as a share of full brightness."""
    direction = rng.standard_normal(3)
    change = 255.0 * distance * direction / np.linalg.norm(direction)
    # Away from the colours' ends, where a change would be cut off.
    change = np.where(material.palettes.mean((0, 1)) + change > 235, -np.abs(change), change)
    change = np.where(material.palettes.mean((0, 1)) + change < 20, np.abs(change), change)
    palettes = np.clip(material.palettes + change, 0, 255).astype(np.uint8)
    return material._replace(palettes=palettes)


def random_ground(rng: Generator) -> Material:
    """Draws a background's material: larger patterns and quieter colours than a body's."""
    return Material(
        tuple(rng.integers(0, NUM_FIELDS, 3).tolist()),
        (rng.uniform(70, 170), rng.uniform(120, 250), rng.uniform(20, 100)),
        np.stack([random_palette(rng, 0.6), random_palette(rng, 0.6)]),
        float(rng.uniform(0.2, 0.8)),
        0.0,
    )


def random_palette(rng: Generator, vividness: float = 1.0) -> np.ndarray:
    """Colours of the grey levels, uint8 [256, 3]: mostly muted, as in photographs."""
    count = int(rng.integers(2, 5))
    vivid = vividness * rng.beta(1.2, 2.0)
    base = rng.random(3)
    spread = rng.uniform(0.1, 1.0)
    colours = base + spread * vivid * rng.uniform(-0.8, 0.8, (count, 3))
    greys = colours.mean(1, keepdims=True)
    colours = greys + (0.25 * vividness + vivid) * (colours - greys)
    light = np.linspace(-1, 1, count) * rng.uniform(-0.4, 0.4) + rng.uniform(-0.12, 0.12, count)
    colours = np.clip(colours + light[:, None], 0.02, 0.98) * 255
    stops = np.linspace(0, 255, count)
    channels = [np.interp(_LEVELS, stops, channel) for channel in colours.T]
    return np.stack(channels, 1).astype(np.uint8)


def body_surface(rng: Generator, material: Material) -> Image.Image:
    """A piece of ``material``, mode "RGB", BODY_TEXELS x BODY_TEXELS."""
    surface = _mix(rng, material, BODY_TEXELS)
    if material.shade:
        surface = ImageChops.multiply(surface, _shading(rng, material.shade))
    return surface


def background_surface(rng: Generator, material: Material, texels: int) -> Image.Image:
    """A photograph-like background, mode "RGB", texels x texels: regions, clutter and detail."""
    surface = _mix(rng, material, texels)
    for _ in range(int(rng.integers(0, 3))):
        other = random_material(rng)
        if rng.random() < 0.4:
            other = other._replace(palettes=material.palettes[::-1])
        extents = (rng.uniform(60, 170), 0.0, 0.0)
        piece = _mix(rng, other._replace(share=0.0, extents=extents), texels)
        surface.paste(piece, (0, 0), _clutter(rng, texels))
    return surface


def _mix(rng: Generator, material: Material, texels: int) -> Image.Image:
    coarse = _coloured(rng, material, 0, texels)
    if not material.share:
        return coarse
    fine = _coloured(rng, material, 1, texels)
    mask = _crop(rng, material.fields[2], material.extents[2], texels)
    middle = 255 * (1 - material.share)
    steep = np.clip((_LEVELS - middle) * 8 + 128, 0, 255).astype(np.uint8)
    return Image.composite(fine, coarse, mask.point(steep.tolist()))


def _coloured(rng: Generator, material: Material, layer: int, texels: int) -> Image.Image:
    grey = _crop(rng, material.fields[layer], material.extents[layer], texels)
    grey.putpalette(material.palettes[layer].tobytes())
    return grey.convert("RGB")


def _crop(rng: Generator, number: int, extent: float, texels: int) -> Image.Image:
    """A crop of a pattern about ``extent`` texels wide, mode "L", texels x texels."""
    if texels > BODY_TEXELS:  # not turned, which takes a third of the time
        extent = min(extent, FIELD_TEXELS)
        left, top = (rng.random(2) * (FIELD_TEXELS - extent)).tolist()
        box = (left, top, left + extent, top + extent)
        return field(number).resize((texels, texels), Image.Resampling.BILINEAR, box)
    angle, shares = rng.uniform(0, 2 * np.pi), rng.random(2)
    cosine, sine = math.cos(angle), math.sin(angle)
    extent = min(extent, 0.98 * FIELD_TEXELS / (abs(cosine) + abs(sine)))
    reach = 0.5 * extent * (abs(cosine) + abs(sine))
    x, y = (reach + (FIELD_TEXELS - 2 * reach) * shares).tolist()
    a, b = extent / texels * cosine, extent / texels * sine
    half = texels / 2
    data = (a, -b, x - a * half + b * half, b, a, y - b * half - a * half)
    return field(number).transform(
        (texels, texels), Image.Transform.AFFINE, data, Image.Resampling.BILINEAR
    )


def _shading(rng: Generator, strength: float) -> Image.Image:
    """Light from one side, coarsely drawn and enlarged, mode "RGB"."""
    y, x = np.mgrid[-1:1:8j, -1:1:8j]
    towards = rng.uniform(-0.7, 0.7, 2)
    distance = np.hypot(y - towards[0], x - towards[1])
    light = 255 * np.clip(1.05 - 0.5 * strength * distance, 0, 1)
    small = Image.fromarray(light.astype(np.uint8))
    large = small.resize((BODY_TEXELS, BODY_TEXELS), Image.Resampling.BILINEAR)
    return Image.merge("RGB", (large, large, large))


def _clutter(rng: Generator, texels: int) -> Image.Image:
    mask = Image.new("L", (texels, texels), 0)
    draw = ImageDraw.Draw(mask)
    kind = rng.random()
    if kind < 0.3:
        levels = texels * (rng.uniform(0.3, 0.7) + 0.06 * rng.standard_normal(9).cumsum())
        edge = list(zip(np.linspace(0, texels, 9).tolist(), levels.tolist(), strict=True))
        draw.polygon([(0, texels), *edge, (texels, texels)], fill=255)
        return mask
    count = int(rng.integers(4, 40))
    sizes = texels * 0.3 * rng.uniform(0.05, 1.0, (count, 2)) / math.sqrt(1 + count / 8)
    centres = rng.uniform(0, texels, (count, 2))
    boxes = np.concatenate([centres - sizes, centres + sizes], 1).tolist()
    turns = rng.uniform(0, 2 * np.pi, (count, 4))
    for box, centre, radii, turn in zip(boxes, centres, sizes, turns, strict=True):
        if kind < 0.5:
            draw.ellipse(box, fill=255)
        elif kind < 0.65:
            draw.rectangle(box, fill=255)
        else:
            points = centre + radii * np.stack([np.cos(turn), np.sin(turn)], 1)
            draw.polygon([tuple(point) for point in points.tolist()], fill=255)
    return mask
