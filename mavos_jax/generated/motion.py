"""Where generated bodies and the camera are at each frame."""

import math
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from mavos_jax.generated.recipe import Recipe
from mavos_jax.media.pictures import Size

NUM_KNOTS = 24


class Affine(NamedTuple):
    """The map (x, y) -> (a x + b y + c, d x + e y + f)."""

    a: float
    b: float
    c: float
    d: float
    e: float
    f: float

    def inverse(self) -> "Affine":
        """The map back."""
        det = self.a * self.e - self.b * self.d
        a, b, d, e = self.e / det, -self.b / det, -self.d / det, self.a / det
        return Affine(a, b, -a * self.c - b * self.f, d, e, -d * self.c - e * self.f)

    def after(self, first: "Affine") -> "Affine":
        """The map that applies ``first`` and then this one."""
        a, b, c, d, e, f = self
        return Affine(
            *(a * first.a + b * first.d, a * first.b + b * first.e, a * first.c + b * first.f + c),
            *(d * first.a + e * first.d, d * first.b + e * first.e, d * first.c + e * first.f + f),
        )

    def map(self, points: np.ndarray) -> np.ndarray:
        """Maps points, float [P, 2] (x, y)."""
        return points @ np.array([[self.a, self.d], [self.b, self.e]]) + (self.c, self.f)


class Place(NamedTuple):
    """Where a body is: centre (x, y) in pixels, relative size, angle in radians."""

    x: float
    y: float
    size: float
    angle: float


class Path(NamedTuple):
    """A smooth way through knots, which starts again after the last."""

    knots: list[list[float]]  # (x, y, logarithm of the size, angle) each, in pixels and radians
    spacing: float  # frames from knot to knot
    darts: bool  # whether the body rests at its knots
    spin: float  # in radians a frame
    bob: tuple[float, float]  # a swing up and down: pixels, and radians a frame

    def place(self, index: int | float) -> Place:
        """Where the body is at frame ``index``."""
        knot, share = divmod(index / self.spacing, 1.0)
        first, count = int(knot), len(self.knots)
        before, start, end, after = (self.knots[(first + step) % count] for step in (-1, 0, 1, 2))
        if first == 0:
            before = start  # The way begins at rest rather than in from the last knot.
        if self.darts:
            share = min(max(1.6 * share - 0.3, 0.0), 1.0)
            share = share * share * (3 - 2 * share)
            x, y, size, angle = (p + share * (q - p) for p, q in zip(start, end, strict=True))
        else:
            square, cube = share * share, share**3
            weights = (
                0.5 * (2 * square - share - cube),
                0.5 * (2 - 5 * square + 3 * cube),
                0.5 * (share + 4 * square - 3 * cube),
                0.5 * (cube - square),
            )
            x, y, size, angle = (
                sum(weight * value for weight, value in zip(weights, values, strict=True))
                for values in zip(before, start, end, after, strict=True)
            )
        y += self.bob[0] * math.sin(self.bob[1] * index)
        return Place(x, y, math.exp(size), angle + self.spin * index)


def random_path(
    rng: Generator, recipe: Recipe, start: tuple[float, float], radius: float, size: Size
) -> Path:
    """Draws a way of a body that starts at ``start`` (x, y) and may leave the frame and return."""
    extent = np.array([size[1], size[0]], float)
    shares = rng.random((NUM_KNOTS, 2))
    knots = np.zeros((NUM_KNOTS, 4))
    reach = rng.uniform(*recipe.reach)
    knots[:, :2] = start + reach * ((0.08 + 0.84 * shares) * extent - start)
    outside = np.flatnonzero(rng.random(NUM_KNOTS) < recipe.exit)
    if len(outside):
        axis = rng.integers(0, 2, len(outside))
        far = 1.35 * radius + 0.05 * extent[axis]
        # Through the nearer side, so that most of the way back is in view.
        near_side = knots[outside, axis] < 0.5 * extent[axis]
        beyond = np.where(near_side, -far, extent[axis] + far)
        knots[outside, axis] = beyond
        # It stays away for a knot more, so that leaving is more than touching the edge.
        following = (outside + 1) % NUM_KNOTS
        stays = rng.random(len(outside)) < 0.5
        knots[following[stays], axis[stays]] = beyond[stays]
    turn = recipe.spin * recipe.knot_spacing[1] * rng.random()
    knots[:, 2] = rng.uniform(-recipe.growth, recipe.growth) * rng.random(NUM_KNOTS)
    knots[:, 3] = rng.uniform(-turn, turn, NUM_KNOTS)
    knots[0] = (*start, 0.0, 0.0)
    swings = rng.random() < 0.3
    return Path(
        knots.tolist(),
        float(rng.uniform(*recipe.knot_spacing)),
        bool(rng.random() < recipe.dart),
        float(rng.uniform(-recipe.spin, recipe.spin) * (rng.random() < 0.5)),
        (float(radius * rng.uniform(0.05, 0.25)) if swings else 0.0, float(rng.uniform(0.3, 1.2))),
    )


class Camera(NamedTuple):
    """Pan, zoom, roll and shake about the first frame's view, and how the background runs past."""

    centre: tuple[float, float]  # the frame's centre, (x, y) in pixels
    pan: tuple[float, float]  # amplitude, (x, y) in pixels
    zoom: float  # amplitude of the logarithm of the scale
    roll: float  # amplitude, in radians
    shake: float  # amplitude, in pixels
    drift: tuple[float, float]  # amplitude of the background's own motion, (x, y) in pixels
    rates: tuple[float, ...]  # pan x, y, zoom, roll, drift x, y, shake x, y: radians a frame

    def view(self, index: int) -> Affine:
        """The map from the world to the pixels of frame ``index``."""
        rates, (x, y) = self.rates, self.centre
        scale = math.exp(self.zoom * math.sin(rates[2] * index))
        angle = self.roll * math.sin(rates[3] * index)
        cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
        # Two rates that share no period make a jolt that does not repeat.
        jolt_x = self.shake * (math.sin(rates[6] * index) + math.sin(1.73 * rates[6] * index))
        jolt_y = self.shake * (math.sin(rates[7] * index) + math.sin(1.61 * rates[7] * index))
        move_x = x + self.pan[0] * math.sin(rates[0] * index) + jolt_x
        move_y = y + self.pan[1] * math.sin(rates[1] * index) + jolt_y
        return Affine(
            *(cosine, -sine, move_x - cosine * x + sine * y),
            *(sine, cosine, move_y - sine * x - cosine * y),
        )

    def background(self, index: int) -> Affine:
        """The map from the background to the pixels of frame ``index``."""
        x = self.drift[0] * math.sin(self.rates[4] * index)
        y = self.drift[1] * math.sin(self.rates[5] * index)
        return self.view(index).after(Affine(1.0, 0.0, x, 0.0, 1.0, y))

    def margin(self) -> float:
        """How far beyond the first frame's centre the background is seen, in pixels."""
        half = math.exp(abs(self.zoom)) * max(self.centre) * (1.0 + math.sin(abs(self.roll)))
        pan = math.hypot(*self.pan) + 3 * self.shake
        return half + math.exp(abs(self.zoom)) * pan + math.hypot(*self.drift)


def random_camera(rng: Generator, recipe: Recipe, size: Size) -> Camera:
    """Draws the camera of frames of ``size`` (height, width) pixels."""
    side = math.sqrt(size[0] * size[1])
    still = rng.random() < recipe.still_camera
    share = rng.uniform(-1, 1, 6) * (rng.random(6) < 0.7) * (not still)
    jolts = recipe.shake * side * rng.random() * (rng.random() < 0.4)
    periods = rng.uniform((40, 40, 30, 30, 40, 40, 3, 3), (160, 160, 120, 120, 240, 240, 9, 9))
    pan_x, pan_y = recipe.pan * side * share[:2]
    drift_x, drift_y = recipe.drift * side * share[4:]
    return Camera(
        (size[1] / 2, size[0] / 2),
        (float(pan_x), float(pan_y)),
        float(recipe.zoom * share[2]),
        float(recipe.roll * share[3]),
        float(jolts),
        (float(drift_x), float(drift_y)),
        tuple((2 * np.pi / periods).tolist()),
    )
