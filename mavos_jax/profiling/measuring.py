"""Compiling and timing: medians over rounds, each of which measures everything once."""

from __future__ import annotations

import statistics
import sys
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

    def times(self, factor: float) -> Timing:
        """Returns it in another unit."""
        return Timing(*(factor * value for value in self))


class Program(NamedTuple):
    """A compiled program, called with the arguments that are not static.

    Of its memory, ``total_bytes`` are arguments, outputs and temporaries; donated arguments count
    once.
    """

    run: Callable[..., Any]
    compilation_s: float
    temporary_bytes: int
    total_bytes: int


def announce(line: str) -> None:
    """Tells what is going on, which may take minutes."""
    print(line, file=sys.stderr, flush=True)


def compile_program(jitted: Any, *arguments: Any, **options: Any) -> Program:
    """Compiles a jitted function for some arguments."""
    start = time.perf_counter()
    compiled = jitted.trace(*arguments, **options).lower().compile()
    elapsed = time.perf_counter() - start
    memory = compiled.memory_analysis()
    if memory is None:
        return Program(compiled, elapsed, 0, 0)
    own = memory.argument_size_in_bytes + memory.output_size_in_bytes - memory.alias_size_in_bytes
    temporary = memory.temp_size_in_bytes
    return Program(compiled, elapsed, temporary, own + temporary)


def seconds(function: Callable[[], Any]) -> float:
    """Returns the time of a call, the device's work included."""
    start = time.perf_counter()
    jax.block_until_ready(function())
    return time.perf_counter() - start


def measure_in_turns(
    samplers: Mapping[_Key, Sampler], repeats: int
) -> dict[_Key, dict[str, Timing]]:
    """Calls all samplers one after the other, round after round.

    A round before the first does not count: it compiles what is not compiled, and fills caches.
    """
    rounds = []
    for number in range(repeats + 1):
        name = f"round {number} of {repeats}" if number else "a round that does not count"
        start = time.perf_counter()
        rounds.append({key: sample() for key, sample in samplers.items()})
        announce(f"{name}: {time.perf_counter() - start:.1f} s")
    return {
        key: {
            name: Timing.of([found[key][name] for found in rounds[1:]]) for name in rounds[0][key]
        }
        for key in samplers
    }
