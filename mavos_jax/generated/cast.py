"""Draws the bodies of a generated scene, apart from one another in its first frame."""

import math

import numpy as np
from numpy.random import Generator

from mavos_jax.generated import outline as outlines
from mavos_jax.generated.motion import Path, random_path
from mavos_jax.generated.outline import Outline
from mavos_jax.generated.recipe import Recipe
from mavos_jax.generated.scene import Body
from mavos_jax.generated.surface import Material, body_surface, random_material, tinted
from mavos_jax.media.pictures import Size

# No more objects than this have look-alikes or are hidden on purpose: each costs drawing time.
_MAX_COPIED = 6
_MAX_HIDDEN = 3
_PASS_KNOTS = 24

Centre = tuple[float, float]
Discs = tuple[list[Centre], np.ndarray]  # centres and radii
_CANDIDATES = 16
_SHRINK = 0.9


class Cast:
    """Draws the bodies of one scene; some are hard to tell from the background's ``ground``."""

    def __init__(self, rng: Generator, recipe: Recipe, size: Size, ground: Material):
        self.rng, self.recipe, self.size, self.ground = rng, recipe, size, ground
        self._side = math.sqrt(size[0] * size[1])

    def actors(self, num_objects: int) -> list[Body]:
        """Labelled objects, then their look-alikes, then bodies that look like none of them."""
        rng, recipe = self.rng, self.recipe
        copied = np.flatnonzero(rng.random(min(num_objects, _MAX_COPIED)) < recipe.lookalike)
        originals = [*copied.tolist(), *[None] * int(rng.integers(0, recipe.distractors + 1))]
        radii = self._radii(num_objects, num_objects + len(originals))
        centres, radii = _pack(rng, radii, self.size, recipe.gap)
        twins = rng.random(num_objects) < recipe.twin
        bodies: list[Body] = []
        for number, (centre, radius) in enumerate(zip(centres, radii.tolist(), strict=True)):
            twin = number - 1 if number and twins[number] else None
            bodies.append(self._body(bodies, twin, radius, centre))
        extra = np.array(
            [
                self._side * rng.uniform(*recipe.radius) * 0.8
                if original is None
                else radii[original] * rng.uniform(0.85, 1.1)
                for original in originals
            ]
        )
        starts = _add_discs(rng, centres, radii, extra, self.size, max(recipe.gap, 1.0))
        for original, start, radius in zip(originals, starts, extra.tolist(), strict=True):
            present = recipe.lookalike_present if original is not None else 0.5
            if start is None or rng.random() >= present:
                start = self._outside(radius)
            bodies.append(self._body(bodies, original, radius, start))
        return bodies

    def hiders(self, objects: list[Body]) -> list[Body]:
        """A pole that stands in front, and bodies that pass in front of an object and hide it."""
        rng, recipe = self.rng, self.recipe
        bodies = []
        if rng.random() < recipe.pole:
            x, half = rng.uniform(0, self.size[1]), self._side * rng.uniform(0.02, 0.09)
            lean = rng.uniform(-0.1, 0.1)
            slack = half + abs(math.tan(lean)) * self.size[0]
            if all(abs(body.path.place(0).x - x) > slack + body.radius for body in objects):
                length = 1.5 * max(self.size)
                path = Path([[x, self.size[0] / 2, 0.0, 0.0]], 16.0, False, 0.0, (0.0, 0.0))
                outline = outlines.compact_outline(rng, half / length)
                bodies.append(self._hider(outline, length, lean, path))
        for body in objects[:_MAX_HIDDEN]:
            if rng.random() < recipe.passer:
                radius = body.radius * rng.uniform(1.3, 1.7)
                outline = outlines.compact_outline(rng, rng.uniform(0.85, 1.0))
                path = self._passing_path(body, radius)
                bodies.append(self._hider(outline, radius, rng.uniform(0, 2 * np.pi), path))
        return bodies

    def _radii(self, num_objects: int, num_bodies: int) -> np.ndarray:
        small, large = self.recipe.radius
        large = max(small, min(large, 0.55 / math.sqrt(num_bodies)))
        radii = self._side * self.rng.uniform(small, large, num_objects)
        # At least 30 pixels or 0.4 % of the frame, with a little for the grid's roundings.
        area = max(40.0, 0.0045 * self._side**2)
        return np.maximum(radii, math.sqrt(area / (outlines.MIN_FILL * math.pi)))

    def _outside(self, radius: float) -> Centre:
        """A place from which a body of ``radius`` pixels is not seen at first."""
        angle = self.rng.uniform(0, 2 * np.pi)
        height, width = self.size
        far = 0.5 * math.hypot(height, width) + 1.2 * radius
        return width / 2 + far * math.cos(angle), height / 2 + far * math.sin(angle)

    def _body(self, bodies: list[Body], original: int | None, radius: float, start: Centre) -> Body:
        rng, recipe = self.rng, self.recipe
        path = random_path(rng, recipe, start, radius, self.size)
        if original is None:
            material, angle = random_material(rng), rng.uniform(0, 2 * np.pi)
            if rng.random() < recipe.camouflage:
                material = material._replace(palettes=self.ground.palettes)
            outline = outlines.random_outline(rng, recipe.wobble)
        else:
            model = bodies[original]
            material = tinted(rng, model.material, rng.uniform(*recipe.likeness))
            angle = model.angle + rng.uniform(-0.5, 0.5)
            outline = outlines.similar_outline(rng, model.outline)
        return Body(outline, radius, angle, path, body_surface(rng, material), material, original)

    def _hider(self, outline: Outline, radius: float, angle: float, path: Path) -> Body:
        material = random_material(self.rng)
        return Body(outline, radius, angle, path, body_surface(self.rng, material), material, None)

    def _passing_path(self, body: Body, radius: float) -> Path:
        """A way from outside to where ``body`` will be, along with it for a while, and away."""
        spacing = float(self.rng.uniform(4.0, 9.0))
        knots = []
        for knot in range(_PASS_KNOTS):
            if knot % 6 in (2, 3):
                place = body.path.place(knot * spacing)
                knots.append([place.x, place.y, math.log(place.size), 0.0])
            else:
                knots.append([*self._outside(radius), 0.0, 0.0])
        return Path(knots, spacing, False, 0.0, (0.0, 0.0))


def _pack(rng: Generator, radii: np.ndarray, size: Size, gap: float) -> Discs:
    """Places discs inside the frame; if they do not fit, all of them shrink."""
    for _ in range(12):
        centres = _add_discs(rng, [], radii[:0], radii, size, gap)
        if None not in centres:
            return [centre for centre in centres if centre is not None], radii
        radii = _SHRINK * radii
    return _grid(rng, radii, size)


def _add_discs(
    rng: Generator,
    placed: list[Centre],
    placed_radii: np.ndarray,
    radii: np.ndarray,
    size: Size,
    gap: float,
) -> list[Centre | None]:
    """Places more discs beside those already ``placed``; None for one that finds no room."""
    extent = np.array([size[1], size[0]], float)
    taken, taken_radii = np.array(placed, float).reshape(-1, 2), placed_radii
    centres: list[Centre | None] = []
    for radius in radii.tolist():
        inset = np.minimum(radius, 0.5 * extent)
        candidates = inset + rng.random((_CANDIDATES, 2)) * (extent - 2 * inset)
        distance = ((candidates[:, None] - taken) ** 2).sum(-1)
        free = (distance >= (gap * (radius + taken_radii)) ** 2).all(1)
        if not free.any():
            centres.append(None)
            continue
        centre = candidates[free.argmax()]
        taken = np.concatenate([taken, centre[None]])
        taken_radii = np.append(taken_radii, radius)
        centres.append((float(centre[0]), float(centre[1])))
    return centres


def grid_shape(count: int, size: Size) -> tuple[int, int]:
    """Rows and columns of near-square cells, one for each of ``count`` bodies."""
    rows = max(1, round(math.sqrt(count * size[0] / max(size[1], 1))))
    rows = min(rows, count)
    return rows, math.ceil(count / rows)


def _grid(rng: Generator, radii: np.ndarray, size: Size) -> Discs:
    height, width = size
    rows, columns = grid_shape(len(radii), size)
    cells = rng.permutation(rows * columns)[: len(radii)]
    centres = [
        ((cell % columns + 0.5) * width / columns, (cell // columns + 0.5) * height / rows)
        for cell in cells.tolist()
    ]
    return centres, np.full(len(radii), 0.5 * min(height / rows, width / columns))
