"""A bank of grey patterns; to crop, turn and colour a few takes a tenth of drawing new ones."""

import functools

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw

FIELD_TEXELS = 256
NUM_FIELDS = 160
_BANK_SEED = 2_718_281
_PLANE = np.mgrid[:FIELD_TEXELS, :FIELD_TEXELS].astype(np.float32)  # y and x of every texel


@functools.lru_cache(maxsize=NUM_FIELDS)
def field(number: int) -> Image.Image:
    """Pattern ``number`` of the bank, of full contrast, mode "L", 256 x 256 texels."""
    rng = np.random.default_rng((_BANK_SEED, number))
    kinds = (_clouds, _leaves, _stripes, _leaves, _tiles, _clouds, _spots, _cells, _veins, _strokes)
    return kinds[number % len(kinds)](rng)


def _image(values: np.ndarray) -> Image.Image:
    low, high = np.percentile(values, (1, 99))
    scaled = (values - low) * (255.0 / max(float(high - low), 1e-6))
    return Image.fromarray(np.clip(scaled, 0, 255).astype(np.uint8))


def _noise(rng: Generator, decay: float, coarsest: int = 4) -> np.ndarray:
    """Noise of several scales; each doubling of the frequency weakens it by ``decay``."""
    total = np.zeros((FIELD_TEXELS, FIELD_TEXELS), np.float32)
    cells, weight = coarsest, 1.0
    while cells <= FIELD_TEXELS:
        grid = Image.fromarray(rng.standard_normal((cells, cells), np.float32))
        smooth = grid.resize((FIELD_TEXELS, FIELD_TEXELS), Image.Resampling.BICUBIC)
        total += weight * np.asarray(smooth)
        cells, weight = 2 * cells, weight * decay
    return total


def _clouds(rng: Generator) -> Image.Image:
    return _image(_noise(rng, rng.uniform(0.4, 0.95), int(rng.choice([2, 4, 8, 16]))))


def _leaves(rng: Generator) -> Image.Image:
    """Shapes of many sizes that hide one another, as things do in photographs."""
    image = Image.new("L", (FIELD_TEXELS, FIELD_TEXELS), int(rng.integers(256)))
    draw = ImageDraw.Draw(image)
    corners = int(rng.integers(3, 7))
    for _ in range(500):
        radius = 3.0 / rng.uniform(0.05, 1.0) ** 0.9
        centre, grey = rng.uniform(0, FIELD_TEXELS, 2), int(rng.integers(256))
        if rng.random() < 0.5:
            flat = radius * rng.uniform(0.4, 1.0)
            half = np.array([radius, flat])
            draw.ellipse([*(centre - half), *(centre + half)], fill=grey)
        else:
            angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
            points = centre + radius * np.stack([np.cos(angles), np.sin(angles)], 1)
            draw.polygon([tuple(point) for point in points.tolist()], fill=grey)
    grain = 30.0 * rng.random() * _noise(rng, 0.9, 16)
    return _image(np.asarray(image, np.float32) + grain)


def _stripes(rng: Generator) -> Image.Image:
    y, x = _PLANE
    angle, length = rng.uniform(0, np.pi), rng.uniform(6, 40)
    phase = (np.cos(angle) * x + np.sin(angle) * y) / length
    phase += rng.uniform(0, 0.6) * _noise(rng, 0.4)
    wave = np.sin(2 * np.pi * phase)
    if rng.random() < 0.5:
        wave = np.tanh(6 * (wave - rng.uniform(-0.6, 0.6)))
    return _image(wave + rng.uniform(0.05, 0.4) * _noise(rng, 0.8, 8))


def _tiles(rng: Generator) -> Image.Image:
    """Bricks or a chequered floor, each tile of its own grey, with joints."""
    y, x = _PLANE
    angle = rng.choice([0.0, rng.uniform(0, np.pi)])
    y, x = np.cos(angle) * y + np.sin(angle) * x, np.cos(angle) * x - np.sin(angle) * y
    height, width = rng.uniform(8, 40, 2)
    row = np.floor(y / height).astype(np.int64)
    x = x + (row % 2) * width * float(rng.choice([0.0, 0.5]))
    column = np.floor(x / width).astype(np.int64)
    greys = rng.random((64, 64)).astype(np.float32)
    if rng.random() < 0.4:
        greys = 0.3 * greys + 0.7 * (np.indices((64, 64)).sum(0) % 2)
    values = greys[row % 64, column % 64]
    joint = np.minimum(y % height, x % width) < rng.uniform(0, 3)
    values[joint] = rng.uniform(-0.3, 1.2)
    return _image(values + rng.uniform(0.03, 0.15) * _noise(rng, 0.8, 8))


def _spots(rng: Generator) -> Image.Image:
    blobs = _noise(rng, 0.3, int(rng.choice([8, 16, 32])))
    sharp = np.tanh(rng.uniform(2, 10) * (blobs - rng.uniform(-0.4, 0.6)))
    return _image(sharp + rng.uniform(0.05, 0.4) * _noise(rng, 0.8, 8))


def _cells(rng: Generator) -> Image.Image:
    """Voronoi cells of flat grey, warped: stones, scales, leaves from afar."""
    y, x = _PLANE
    x, y = x + 8 * rng.random() * _noise(rng, 0.5, 8), y + 8 * rng.random() * _noise(rng, 0.5, 8)
    nearest = np.full(x.shape, np.inf, np.float32)
    values = np.zeros_like(nearest)
    for _ in range(int(rng.integers(12, 60))):
        centre = rng.uniform(0, FIELD_TEXELS, 2)
        distance = np.hypot(y - centre[0], x - centre[1])
        closer = distance < nearest
        values[closer] = rng.random()
        nearest[closer] = distance[closer]
    values -= rng.uniform(0, 0.02) * nearest
    return _image(values + rng.uniform(0.03, 0.2) * _noise(rng, 0.8, 8))


def _veins(rng: Generator) -> Image.Image:
    ridges = 1.0 - np.abs(_noise(rng, rng.uniform(0.3, 0.6), int(rng.choice([4, 8, 16]))))
    return _image(ridges + rng.uniform(0.0, 0.3) * _noise(rng, 0.8, 8))


def _strokes(rng: Generator) -> Image.Image:
    """Many short strokes in about one direction: grass, fur, straw."""
    image = Image.new("L", (FIELD_TEXELS, FIELD_TEXELS), 128)
    draw = ImageDraw.Draw(image)
    direction, spread = rng.uniform(0, np.pi), rng.uniform(0.05, 0.8)
    length, width = rng.uniform(6, 30), int(rng.integers(1, 4))
    starts = rng.uniform(-length, FIELD_TEXELS, (1500, 2))
    angles = direction + spread * rng.standard_normal(1500)
    ends = starts + length * np.stack([np.cos(angles), np.sin(angles)], 1)
    greys = rng.integers(0, 256, 1500)
    for start, end, grey in zip(starts.tolist(), ends.tolist(), greys.tolist(), strict=True):
        draw.line([*start, *end], fill=grey, width=width)
    return _image(np.asarray(image, np.float32) + 40 * _noise(rng, 0.6))
