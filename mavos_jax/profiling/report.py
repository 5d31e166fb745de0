"""The file of everything that was measured."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

from mavos_jax.profiling.lengths import LengthPoint
from mavos_jax.profiling.rows import PartRow, Row, Rows
from mavos_jax.profiling.workload import Setting, device_name
from mavos_jax.runtime.provenance import describe_software


def write_report(
    path: Path, arguments: Any, command: Sequence[str], values: dict[str, Any]
) -> None:
    """Writes values as JSON, with the options, the software and the device.

    Times are in seconds, memory in bytes; a measurement is a median, the lowest and the highest.

    Args:
      path: of the file.
      arguments: the options, a dataclass.
      command: the words that started the program.
      values: what was measured.
    """
    report = {
        **values,
        "options": dataclasses.asdict(arguments),
        "software": describe_software(command),
        "device_name": device_name(),
        "device_kind": jax.devices()[0].device_kind,
        "num_devices": jax.device_count(),
    }
    text = json.dumps(report, indent=2, default=str)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n", encoding="utf-8")


def rows_values(found: Rows) -> dict[str, Any]:
    """Returns the rows as JSON values."""
    return {
        "rows": [_row_values(row) for row in found.rows],
        "parts": [_part_values(part) for part in found.parts],
        "ceilings": {"product_flops": dict(found.products), "copy_bytes": found.copy},
        "notes": found.notes,
    }


def lengths_values(points: Sequence[LengthPoint]) -> dict[str, Any]:
    """Returns speed and memory by length as JSON values."""
    return {"lengths": [_length_values(point) for point in points]}


def _row_values(row: Row) -> dict[str, Any]:
    network, setting, chunk_frames, videos = row.case
    values = row._asdict() | {"cost": row.cost and row.cost._asdict()}
    del values["case"]
    name = network.experiment.name
    about = {"network": name, **_setting(setting), "chunk_frames": chunk_frames, "videos": videos}
    return {**about, **values}


def _part_values(part: PartRow) -> dict[str, Any]:
    values = part._asdict() | {"cost": part.cost._asdict(), "name": part.name.strip()}
    del values["setting"]
    is_inner = part.name.startswith(" ")
    values["network"] = part.network.experiment.name
    return {**values, **_setting(part.setting), "is_inside_another": is_inner}


def _length_values(point: LengthPoint) -> dict[str, Any]:
    values = point._asdict()
    del values["setting"]
    return values | _setting(point.setting)


def _setting(setting: Setting) -> dict[str, Any]:
    return setting._asdict()
