"""The picture of speed and memory against the length of the video."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mavos_jax.profiling.lengths import LengthPoint
from mavos_jax.profiling.rounds import Timing


def import_figure() -> type[Any]:
    """Returns matplotlib's figure, which needs no display.

    Raises:
      ValueError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise ValueError(
            "--plot: expected matplotlib, found none; install it with pip install "
            "'mavos_jax[plot]', or leave --plot out"
        ) from None
    return Figure


def draw_lengths(points: Sequence[LengthPoint], path: Path) -> None:
    """Draws frames a second and memory, one line per network, with the spread of the repeats.

    Args:
      points: what was measured; those without figures are left out.
      path: of the picture, by whose suffix the format goes.

    Raises:
      ValueError: matplotlib is not installed.
    """
    figure = import_figure()(figsize=(9, 3.6), layout="constrained")
    speed, memory = figure.subplots(1, 2)
    for name in dict.fromkeys(point.network for point in points):
        line = [point for point in points if point.network == name and point.memory_bytes]
        if line:
            lengths = [point.num_frames for point in line]
            _draw(speed, name, lengths, [point.fps["aot"] for point in line])
            _draw(memory, name, lengths, [_gigabytes(point.memory_bytes) for point in line])
    found = [point.memory_name for point in points if point.memory_name]
    speed.set_ylabel("frames a second (aot)")
    memory.set_ylabel(f"{found[0] if found else 'memory'}, GB")
    for axes in (speed, memory):
        axes.set_xscale("log")
        axes.set_xlabel("frames of the video")
        axes.set_ylim(bottom=0)
        axes.grid(visible=True, alpha=0.3)
    if found:
        speed.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def _draw(axes: Any, name: str, lengths: list[int], values: list[Timing]) -> None:
    below = [value.median - value.lowest for value in values]
    above = [value.highest - value.median for value in values]
    medians = [value.median for value in values]
    axes.errorbar(lengths, medians, yerr=(below, above), marker="o", capsize=3, label=name)


def _gigabytes(value: Timing | None) -> Timing:
    return Timing(*(x / 1e9 for x in value)) if value else Timing(0.0, 0.0, 0.0)
