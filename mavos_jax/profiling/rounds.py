"""Measuring in turns: medians over rounds, each of which measures everything once."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import jax

_Key = TypeVar("_Key", bound=Hashable)

Sampler = Callable[[], Mapping[str, float]]
"""Measures one thing once; returns values by name."""


class Timing(NamedTuple):
    """A median and its spread over the repeats."""

    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Timing:
        """Summarises repeated measurements."""
        return cls(statistics.median(values), min(values), max(values))

    def __str__(self) -> str:
        return f"{self.median:.4g} ({self.lowest:.4g} to {self.highest:.4g})"


def seconds(function: Callable[[], Any]) -> float:
    """Returns the time of a call, the device's work included."""
    start = time.perf_counter()
    jax.block_until_ready(function())
    return time.perf_counter() - start


def measure_in_turns(
    samplers: Mapping[_Key, Sampler], repeats: int
) -> dict[_Key, dict[str, Timing]]:
    """Calls all samplers one after the other, round after round.

    A round before the first is thrown away: it compiles what is not compiled, and fills caches.

    Args:
      samplers: by whatever tells them apart.
      repeats: rounds that count.
    """
    for sample in samplers.values():
        sample()
    rounds = [{key: sample() for key, sample in samplers.items()} for _ in range(repeats)]
    return {
        key: {name: Timing.of([found[key][name] for found in rounds]) for name in rounds[0][key]}
        for key in samplers
    }
