"""What was measured, as a table for the terminal and as a JSON file."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mavos_jax.profiling.measuring import Timing
from mavos_jax.runtime.provenance import describe_software, this_command


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Lays out rows of values by name, without the columns that are empty."""
    found = {title: [_cell(row[title]) for row in rows] for title in rows[0]}
    texts = [[title.replace("_", " "), *cells] for title, cells in found.items() if any(cells)]
    widths = [max(map(len, text)) for text in texts]
    lines = []
    for cells in zip(*texts, strict=True):
        first, *others = (
            cell.rjust(width) if index else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        lines.append("  ".join((first, *others)).rstrip())
    return "\n".join(lines)


def write_report(path: Path, arguments: Any, **values: Any) -> None:
    """Writes values as JSON, with the options, the software and the device.

    Names tell units, a Timing is a median, the lowest and the highest value.
    """
    about = {
        "options": dataclasses.asdict(arguments),
        "software": describe_software(this_command()),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({**values, **about}, indent=2, default=str)
    path.write_text(f"{text}\n", encoding="utf-8")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Timing):
        return f"{_number(value.median)} ({_number(value.lowest)} to {_number(value.highest)})"
    return _number(value) if isinstance(value, float) else str(value)


def _number(value: float) -> str:
    """Writes a number with four digits that count, without an exponent."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
