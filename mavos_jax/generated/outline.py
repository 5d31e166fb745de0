"""Outlines of generated bodies: smooth or angular, with or without limbs, and never quite rigid."""

from typing import NamedTuple

import numpy as np
from numpy.random import Generator

_NUM_POINTS = 48
_ANGLES = 2 * np.pi * np.arange(_NUM_POINTS) / _NUM_POINTS
_DIRECTIONS = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], 1)
_WAVES = np.arange(2, 5)
# The least share of its disc that a body's trunk covers, so that its area can be relied on.
MIN_FILL = 0.3


class Outline(NamedTuple):
    """A body's outline in a disc of radius 1 about its centre."""

    points: np.ndarray  # the trunk at rest, float [P, 2] (x, y)
    wobble: np.ndarray  # relative amplitudes of the waves that run around the trunk, float [3]
    phases: np.ndarray  # the waves' phases, float [3], in radians
    rates: np.ndarray  # the waves' speeds, float [3], in radians a frame
    limbs: np.ndarray  # float [L, 6]: angle, length, half width, swing, its phase, taper
    gait: float  # rate of the limbs' swing, in radians a frame

    def polygons(self, index: int) -> list[np.ndarray]:
        """The parts at frame ``index``, whose union is the body: float [P, 2] (x, y) each."""
        swell = np.sin(self.rates * index + self.phases) * self.wobble
        waves = np.cos(_ANGLES[:, None] * _WAVES + self.phases) @ swell
        parts = [self.points * (1.0 + waves)[:, None]]
        for angle, length, half_width, swing, phase, taper in self.limbs.tolist():
            angle += swing * np.sin(self.gait * index + phase)
            along = np.array([np.cos(angle), np.sin(angle)])
            across = np.array([-along[1], along[0]])
            profile = _LIMB * (length, half_width)
            profile[:, 1] *= 1.0 - taper * _LIMB[:, 0]
            parts.append(profile[:, :1] * along + profile[:, 1:] * across)
        return parts


# A limb of length and half width 1 along x, from the centre to a rounded end.
_LIMB = np.array(
    [[0.0, -1.0], [0.9, -1.0], [0.97, -0.7], [1.0, 0.0], [0.97, 0.7], [0.9, 1.0], [0.0, 1.0]]
)


def random_outline(rng: Generator, wobble: float) -> Outline:
    """Draws an outline; ``wobble`` is the largest relative change of its trunk."""
    kind, limbs = rng.random(), np.zeros((0, 6))
    if kind < 0.8:
        draw = _star if kind < 0.5 else _corners if kind < 0.65 else _superellipse
        radii = draw(rng)
    else:
        radii, limbs = 0.72 * _star(rng), _limbs(rng)
    amplitude = wobble * rng.random() * rng.dirichlet(np.ones(len(_WAVES)))
    flat = np.array([1.0, rng.uniform(0.5, 1.0)])
    turn = rng.uniform(0, 2 * np.pi)
    return Outline(
        _filled(radii, flat, 0.72 if len(limbs) else 1.0) / (1.0 + amplitude.sum()),
        amplitude,
        rng.uniform(0, 2 * np.pi, len(_WAVES)),
        rng.uniform(0.05, 0.5, len(_WAVES)),
        limbs + np.array([turn, 0, 0, 0, 0, 0]),
        rng.uniform(0.15, 0.7),
    )


def similar_outline(rng: Generator, outline: Outline) -> Outline:
    """An outline of the same family, at another moment of its life."""
    bend = 1.0 + 0.06 * np.cos(_ANGLES * rng.integers(2, 5) + rng.uniform(0, 2 * np.pi))
    points = outline.points * bend[:, None] / 1.06
    limbs = outline.limbs.copy()
    limbs[:, 4] += rng.uniform(0, 2 * np.pi)
    phases = rng.uniform(0, 2 * np.pi, len(_WAVES))
    return outline._replace(points=points, phases=phases, limbs=limbs)


def compact_outline(rng: Generator, aspect: float) -> Outline:
    """A rounded box of ``aspect`` (width to height) that fills its place: something that hides."""
    radii = _superellipse(rng)
    nothing = np.zeros(len(_WAVES))
    points = _DIRECTIONS * radii[:, None] * (aspect, 1.0)
    return Outline(points, nothing, nothing, nothing, np.zeros((0, 6)), 0.0)


def _filled(radii: np.ndarray, flat: np.ndarray, reach: float) -> np.ndarray:
    """Points of radii at most ``reach``, rounded out until they cover enough of the disc."""
    radii = radii * (reach / radii.max())
    for _ in range(8):
        points = _DIRECTIONS * radii[:, None] * flat
        x, y = points.T
        area = 0.5 * abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))
        # Waves and similar outlines take a little of it away.
        if area >= 1.3 * MIN_FILL * np.pi:
            break
        radii = 0.7 * radii + 0.3 * reach
        flat = 0.7 * flat + 0.3
    return _DIRECTIONS * radii[:, None] * flat


def _star(rng: Generator) -> np.ndarray:
    waves = np.arange(1, 8)
    amplitude = rng.standard_normal(len(waves)) * 0.35 / waves**0.9
    phases = rng.uniform(0, 2 * np.pi, len(waves))
    log_radii = np.cos(_ANGLES[:, None] * waves + phases) @ amplitude
    return np.exp(log_radii - log_radii.max())


def _corners(rng: Generator) -> np.ndarray:
    count = int(rng.integers(3, 9))
    angles = 2 * np.pi * (np.arange(count) + rng.uniform(-0.35, 0.35, count)) / count
    points = rng.uniform(0.6, 1.0, count) * np.exp(1j * angles)
    # The ray at angle a meets the edge p + s (q - p) where cross(ray, edge point) = 0.
    p = points[:, None]
    q = np.roll(points, -1)[:, None]
    ray = np.exp(1j * _ANGLES)[None]
    inward = (np.conj(ray) * p).imag
    outward = (np.conj(ray) * q).imag
    share = np.clip(inward / np.where(inward == outward, 1e-9, inward - outward), 0, 1)
    meet = np.conj(ray) * (p + share * (q - p))
    hits = (inward <= 0) & (outward >= 0) & (meet.real > 0)
    return np.where(hits, meet.real, 0.0).max(0).clip(0.3, 1.0)


def _superellipse(rng: Generator) -> np.ndarray:
    power = float(rng.choice([2.0, 2.0, 3.0, 6.0, 12.0]))
    radii = (np.abs(_DIRECTIONS) ** power).sum(1) ** (-1.0 / power)
    return radii / radii.max()


def _limbs(rng: Generator) -> np.ndarray:
    count = int(rng.integers(2, 6))
    return np.stack(
        [
            2 * np.pi * (np.arange(count) + rng.uniform(-0.3, 0.3, count)) / count,
            rng.uniform(0.8, 0.97, count),
            np.full(count, rng.uniform(0.1, 0.2)),
            np.full(count, rng.uniform(0.0, 0.7)),
            rng.uniform(0, 2 * np.pi, count),
            np.full(count, rng.uniform(0.0, 0.6)),
        ],
        1,
    )
