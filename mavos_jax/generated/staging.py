"""Draws a whole scene from a source of chance."""

from __future__ import annotations

import numpy as np
from PIL import Image

from mavos_jax.generated.cast import Cast
from mavos_jax.generated.motion import Affine, random_camera
from mavos_jax.generated.recipe import Recipe
from mavos_jax.generated.scene import Light, Scene
from mavos_jax.generated.surface import background_surface, random_ground

_MAX_BACKGROUND = 400


def random_scene(
    rng: np.random.Generator, recipe: Recipe, size: tuple[int, int], num_objects: int
) -> Scene:
    """Draws the scene of frames of ``size`` (height, width) pixels."""
    camera = random_camera(rng, recipe, size)
    ground = random_ground(rng)
    margin = camera.margin() + 2.0
    # A little coarser than pixels where the view is wide: drawing it is the dearest part.
    texels = max(32, min(round(1.6 * margin), round(2.2 * max(size)), _MAX_BACKGROUND))
    scale = texels / (2 * margin)
    x, y = (0.5 * (texels - scale * length) for length in (size[1], size[0]))
    cast = Cast(rng, recipe, size, ground)
    actors = cast.actors(num_objects)
    hiders = cast.hiders(actors[:num_objects])
    return Scene(
        background_surface(rng, ground, texels),
        Affine(scale, 0.0, x, 0.0, scale, y),
        camera,
        random_light(rng, recipe, size),
        (*actors, *hiders),
        num_objects,
        (*rng.permutation(len(actors)).tolist(), *range(len(actors), len(actors) + len(hiders))),
    )


def random_light(rng: np.random.Generator, recipe: Recipe, size: tuple[int, int]) -> Light:
    """Draws light, blur and noise for frames of ``size`` (height, width) pixels."""
    changes = float(rng.random() < recipe.lighting)
    falloff = None
    if rng.random() < 0.3:
        corners = rng.uniform(110, 255, (3, 3)).astype(np.uint8)
        grey = Image.fromarray(corners).resize((size[1], size[0]), Image.Resampling.BICUBIC)
        falloff = Image.merge("RGB", (grey, grey, grey))
    kernel = None
    if rng.random() < recipe.blur:
        weights = np.outer((1, 2, 1), (1, 2, 1)) * rng.random((3, 3)) + 1e-3
        weights += weights[::-1, ::-1]  # Symmetric: blur must not move the edges.
        kernel = tuple((weights / weights.sum()).ravel().tolist())
    return Light(
        rng.uniform(0.85, 1.15) * rng.uniform(0.93, 1.07, 3),
        changes * (rng.uniform(0, 0.3) + rng.uniform(-0.08, 0.08, 3)),
        float(2 * np.pi / rng.uniform(8, 120)),
        falloff,
        kernel,
        float(2 * np.pi / rng.uniform(10, 60)),
        float(rng.uniform(*recipe.noise)),
    )
