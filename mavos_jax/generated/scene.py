"""What a generated video shows, and how it is drawn, in pixels [i, i + 1) of the first frame."""

import functools
import math
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from mavos_jax.generated.motion import Affine, Camera, Path
from mavos_jax.generated.outline import Outline
from mavos_jax.generated.surface import Material
from mavos_jax.media.pictures import Size


class Body(NamedTuple):
    """Something that moves in front of the background."""

    outline: Outline  # in a disc of radius 1
    radius: float  # the disc's radius, in pixels
    angle: float  # at frame 0, in radians
    path: Path  # where it is
    surface: Image.Image  # what it looks like, mode "RGB"
    material: Material  # what the surface was cut from
    original: int | None = None  # the labelled object that it resembles, by index

    def world(self, index: int) -> Affine:
        """The map from the outline's disc to the world at frame ``index``."""
        place = self.path.place(index)
        scale, angle = self.radius * place.size, self.angle + place.angle
        cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
        return Affine(cosine, -sine, place.x, sine, cosine, place.y)


class Light(NamedTuple):
    """Gain of each colour over time, and what the lens and the sensor add."""

    gain: np.ndarray  # mean, float [3]
    swing: np.ndarray  # the gain's amplitude, float [3]
    rate: float  # the swing's rate, in radians a frame
    falloff: Image.Image | None  # light of each pixel, mode "RGB", or None if even
    kernel: tuple[float, ...] | None  # 3 x 3 weights of the blur, or None if sharp
    blur_rate: float  # in radians a frame of the blur's coming and going
    noise: float  # standard deviation, of 255


class Scene(NamedTuple):
    """Everything that a generated video shows."""

    background: Image.Image  # a picture, mode "RGB"
    to_background: Affine  # the map from the world to the picture's texels
    camera: Camera  # where it is seen from
    light: Light  # what falls on it
    bodies: tuple[Body, ...]  # the labelled objects first; the first has id 1
    far_to_near: tuple[int, ...]  # indices of ``bodies``; later ones hide earlier ones


# Outlines are drawn this many times finer than pixels, then averaged.
_FINER = 3
# Texels of a surface that one radius spans, as a share of its side: a little is left beyond.
_TEXTURE_REACH = 0.46
_NOISE_SAMPLES = 1 << 18


def draw(
    scene: Scene, index: int, size: Size, labels: tuple[int, ...], seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draws frame ``index``, uint8 RGB [H, W, 3], and its mask, whose values are the ``labels``."""
    height, width = size
    window = scene.to_background.after(scene.camera.background(index).inverse())
    image = scene.background.transform(
        (width, height), Image.Transform.AFFINE, window, Image.Resampling.BILINEAR
    )
    mask = draw_mask(scene, index, size, labels, image)
    return _exposed(image, scene.light, index, seed), mask


def draw_mask(
    scene: Scene, index: int, size: Size, labels: tuple[int, ...], image: Image.Image | None = None
) -> np.ndarray:
    """Draws the mask as :func:`draw` does, and paints the bodies over ``image``, if any."""
    mask = Image.new("L", (size[1], size[0]), 0)
    view = scene.camera.view(index)
    for number in scene.far_to_near:
        body = scene.bodies[number]
        to_pixels = view.after(body.world(index))
        cover = _cover(body, index, to_pixels, size)
        if cover is None:
            continue
        alpha, corner = cover
        mask.paste(labels[number], corner, alpha.convert("1", dither=Image.Dither.NONE))
        if image is not None:
            image.paste(_surface(body, to_pixels, corner, alpha.size), corner, alpha)
    return np.array(mask)


def _cover(
    body: Body, index: int, to_pixels: Affine, size: Size
) -> tuple[Image.Image, tuple[int, int]] | None:
    """How much of each pixel the body covers, mode "L", and the upper left corner (x, y)."""
    reach = 1.05 * math.hypot(to_pixels.a, to_pixels.d)
    left = max(0, math.floor(to_pixels.c - reach))
    top = max(0, math.floor(to_pixels.f - reach))
    right = min(size[1], math.ceil(to_pixels.c + reach))
    bottom = min(size[0], math.ceil(to_pixels.f + reach))
    if left >= right or top >= bottom:
        return None
    fine = Image.new("L", ((right - left) * _FINER, (bottom - top) * _FINER), 0)
    pen = ImageDraw.Draw(fine)
    for part in body.outline.polygons(index):
        points = (to_pixels.map(part) - (left, top)) * _FINER - 0.5
        pen.polygon(points.ravel().tolist(), fill=255)
    alpha = fine.reduce(_FINER)
    # The disc is wider than most outlines: what follows costs as much as its box is large.
    box = alpha.getbbox()
    return None if box is None else (alpha.crop(box), (left + box[0], top + box[1]))


def _surface(body: Body, to_pixels: Affine, corner: tuple[int, int], size: Size) -> Image.Image:
    texels = body.surface.size[0]
    scale = _TEXTURE_REACH * texels
    to_texels = Affine(scale, 0.0, texels / 2, 0.0, scale, texels / 2)
    shift = Affine(1.0, 0.0, float(corner[0]), 0.0, 1.0, float(corner[1]))
    window = to_texels.after(to_pixels.inverse().after(shift))
    return body.surface.transform(size, Image.Transform.AFFINE, window, Image.Resampling.BILINEAR)


def _exposed(image: Image.Image, light: Light, index: int, seed: int) -> np.ndarray:
    """The picture under the light, through the lens and on the sensor, uint8 [H, W, 3]."""
    if light.falloff is not None:
        image = ImageChops.multiply(image, light.falloff)
    if light.kernel is not None and math.sin(light.blur_rate * index) > -0.3:
        image = image.filter(ImageFilter.Kernel((3, 3), light.kernel))
    gain = light.gain + light.swing * math.sin(light.rate * index)
    pixels = np.asarray(image) * gain.astype(np.float32)
    # A cut of one long noise: drawing afresh for every frame would take longer than the picture.
    start = int(np.random.default_rng((seed, index)).integers(_NOISE_SAMPLES // 2))
    noise = _noise()[start:]
    noise = noise[: pixels.size] if pixels.size <= len(noise) else np.resize(noise, pixels.size)
    pixels += np.float32(light.noise) * noise.reshape(pixels.shape)
    return np.clip(pixels, 0, 255, out=pixels).astype(np.uint8)


@functools.cache
def _noise() -> np.ndarray:
    return np.random.default_rng(31_415).standard_normal(_NOISE_SAMPLES, np.float32)
