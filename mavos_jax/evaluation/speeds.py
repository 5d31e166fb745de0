"""Frames a second over a set, from the timings of its sequences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

Timings = Mapping[str, tuple[int, float]]
"""Frames and seconds by the name of the protocol."""


class Speed(NamedTuple):
    """Frames a second over a set.

    Attributes:
      all_frames: all frames by all seconds.
      all_sequences: 1 by the mean, over sequences, of the seconds a frame takes.
    """

    all_frames: float
    all_sequences: float


def set_speeds(sequences: Iterable[Timings]) -> dict[str, Speed]:
    """Returns the speeds over a set, by the names of the protocols that all sequences have."""
    timings = list(sequences)
    shared = [name for name in timings[0] if all(name in timing for timing in timings)]
    speeds = {}
    for name in shared:
        frames, seconds = np.array([timing[name] for timing in timings], np.float64).T
        all_sequences = 1 / float((seconds / frames).mean())
        speeds[name] = Speed(float(frames.sum() / seconds.sum()), all_sequences)
    return speeds
