"""Compiling, timing in turns, and the results as a table and as a JSON file."""

import dataclasses
import json
import statistics
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import jax

from mavos_jax.runtime.progress import say
from mavos_jax.runtime.provenance import describe_software, this_command

_Key = TypeVar("_Key", bound=Hashable)

Sampler = Callable[[], Mapping[str, float]]  # measures one thing once; returns values by name


class Timing(NamedTuple):
    """A median and its spread over the repeats."""

    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Timing":
        """Summarises repeated measurements."""
        return cls(statistics.median(values), min(values), max(values))

    def times(self, factor: float) -> "Timing":
        """Returns it in another unit."""
        return Timing(*(factor * value for value in self))


class Program(NamedTuple):
    """A compiled program; ``run`` takes the arguments that are not static."""

    run: Callable[..., Any]
    compilation_s: float
    sizes: dict[str, int]


def compile_program(jitted: Any, *arguments: Any, **options: Any) -> Program:
    """Compiles a jitted function for some arguments."""
    start = time.perf_counter()
    compiled = jitted.trace(*arguments, **options).lower().compile()
    return Program(compiled, time.perf_counter() - start, program_sizes(compiled))


def program_sizes(compiled: Any) -> dict[str, int]:
    """Returns the bytes that a compiled program needs; donated arguments count once."""
    memory = compiled.memory_analysis()
    sizes = {
        "arguments": memory.argument_size_in_bytes,
        "outputs": memory.output_size_in_bytes - memory.alias_size_in_bytes,
        "temporaries": memory.temp_size_in_bytes,
    }
    return {**sizes, "all": sum(sizes.values())}


def program_figures(program: Program | None) -> dict[str, float | None]:
    """Returns the columns of a table that describe a program."""
    return {
        "compile_s": program and program.compilation_s,
        "program_MB": program and program.sizes["all"] / 1e6,
        "temporary_MB": program and program.sizes["temporaries"] / 1e6,
    }


def seconds(function: Callable[[], Any]) -> float:
    """Returns the time of a call, including the device's work."""
    start = time.perf_counter()
    jax.block_until_ready(function())
    return time.perf_counter() - start


def measure_in_turns(
    samplers: Mapping[_Key, Sampler], repeats: int
) -> dict[_Key, dict[str, Timing]]:
    """Calls all samplers in turn, round after round; the first, which compiles, does not count."""
    rounds = []
    for number in range(repeats + 1):
        name = f"round {number} of {repeats}" if number else "a round that does not count"
        start = time.perf_counter()
        rounds.append({key: sample() for key, sample in samplers.items()})
        say(f"{name}: {time.perf_counter() - start:.1f} s")
    return {
        key: {
            name: Timing.of([found[key][name] for found in rounds[1:]]) for name in rounds[0][key]
        }
        for key in samplers
    }


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Lays out rows of values by name, without the columns that are empty."""
    found = {title: [_cell(row[title]) for row in rows] for title in rows[0]}
    texts = [[title.replace("_", " "), *cells] for title, cells in found.items() if any(cells)]
    widths = [max(map(len, text)) for text in texts]
    lines = []
    for first, *others in zip(*texts, strict=True):
        cells = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
        lines.append("  ".join((first.ljust(widths[0]), *cells)).rstrip())
    return "\n".join(lines)


def write_report(path: Path | None, arguments: Any, **values: Any) -> None:
    """Writes values, options, software and device as JSON, given a path; names contain units."""
    if path is None:
        return
    values["options"] = dataclasses.asdict(arguments)
    values["software"] = describe_software(this_command())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values, indent=2, default=str) + "\n", encoding="utf-8")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Timing):
        return f"{_number(value.median)} ({_number(value.lowest)} to {_number(value.highest)})"
    return _number(value) if isinstance(value, float) else str(value)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
