"""Tables for the terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mavos_jax.profiling.lengths import LengthPoint
from mavos_jax.profiling.rounds import Timing
from mavos_jax.profiling.rows import PartRow, Row, Rows

_ROW_COLUMNS: dict[str, Callable[[Row], Any]] = {
    "network": lambda row: row.case.network.experiment.name,
    "size": lambda row: "x".join(map(str, row.case.setting.size)),
    "objects": lambda row: row.case.setting.objects,
    "precision": lambda row: row.case.setting.precision,
    "chunk": lambda row: row.case.chunk_frames,
    "videos": lambda row: row.case.videos,
    "frame, ms": lambda row: _scaled(row.frame_s, 1e3),
    "with a write, ms": lambda row: _scaled(row.written_s, 1e3),
    "FPS in the scan": lambda row: row.scan_fps,
    "FPS aot": lambda row: row.fps.get("aot"),
    "FPS xmem": lambda row: row.fps.get("xmem"),
    "FPS end-to-end": lambda row: row.fps.get("end-to-end"),
    "compile, s": lambda row: row.cost and row.cost.compilation_s,
    "program, MB": lambda row: row.cost and row.cost.total_bytes / 1e6,
    "carried, MB": lambda row: row.carry_bytes and row.carry_bytes / 1e6,
    "peak, MB": lambda row: row.peak_bytes and row.peak_bytes / 1e6,
    "GFLOP": lambda row: row.frame_flops and row.frame_flops / 1e9,
    "of ceilings": lambda row: _percent(row.roofline),
}

_PART_COLUMNS: dict[str, Callable[[PartRow], Any]] = {
    "part": lambda part: part.name,
    "a frame runs it": lambda part: part.runs or None,
    "ms": lambda part: _scaled(part.time_s, 1e3),
    "GFLOP": lambda part: part.cost.flops / 1e9,
    "in and out, MB": lambda part: part.cost.least_bytes / 1e6,
    "accessed, MB": lambda part: part.cost.accessed_bytes and part.cost.accessed_bytes / 1e6,
    "compile, s": lambda part: part.cost.compilation_s,
    "of ceilings": lambda part: _percent(part.roofline),
}

_LENGTH_COLUMNS: dict[str, Callable[[LengthPoint], Any]] = {
    "network": lambda point: point.network,
    "frames": lambda point: point.num_frames,
    "bank, frames": lambda point: point.bank_frames,
    "FPS aot": lambda point: point.fps.get("aot"),
    "FPS xmem": lambda point: point.fps.get("xmem"),
    "peak, MB": lambda point: _scaled(point.memory_bytes, 1e-6),
    "failure": lambda point: point.failure,
}


def rows_text(found: Rows) -> str:
    """Returns the rows, the parts of every setting, and the ceilings."""
    blocks = [table(_ROW_COLUMNS, found.rows)]
    for key in dict.fromkeys((part.network, part.setting) for part in found.parts):
        network, setting = key
        height, width = setting.size
        title = (
            f"parts of {network.experiment.name}, {height}x{width}, {setting.objects} objects, "
            f"{setting.precision} (each alone: the sum need not be the frame)"
        )
        parts = [part for part in found.parts if (part.network, part.setting) == key]
        blocks.append(f"{title}\n{table(_PART_COLUMNS, parts)}")
    ceilings = [
        f"matrix product, {precision}: {_cell(_scaled(rate, 1e-9))} GFLOP/s"
        for precision, rate in found.products.items()
    ]
    copy = f"copy: {_cell(_scaled(found.copy, 1e-9))} GB/s"
    blocks.append("\n".join((*ceilings, copy, *found.notes)))
    return "\n\n".join(blocks)


def lengths_text(points: Sequence[LengthPoint]) -> str:
    """Returns speed and memory by length."""
    names = dict.fromkeys(point.memory_name for point in points if point.memory_name)
    return "\n".join((table(_LENGTH_COLUMNS, points), *(f"peak: {name}" for name in names)))


def table(columns: dict[str, Callable[[Any], Any]], rows: Sequence[Any]) -> str:
    """Lays out rows under their columns, without the columns that are empty."""
    found = {title: [_cell(value(row)) for row in rows] for title, value in columns.items()}
    texts = [[title, *cells] for title, cells in found.items() if any(cells)]
    widths = [max(map(len, text)) for text in texts]
    lines = []
    for cells in zip(*texts, strict=True):
        first, *others = (
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        lines.append("  ".join((first, *others)).rstrip())
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Timing):
        return f"{_number(value.median)} ({_number(value.lowest)} to {_number(value.highest)})"
    return _number(value) if isinstance(value, float) else str(value)


def _number(value: float) -> str:
    """Writes a number with three digits that count, without an exponent."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _scaled(value: Timing | None, factor: float) -> Timing | None:
    return None if value is None else Timing(*(factor * x for x in value))


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{share:.0%}"
