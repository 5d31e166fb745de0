"""Tables of scores: CSV files under the official names, and text to print."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from mavos_jax.datasets.dataset import Benchmark
from mavos_jax.datasets.seen import boundary_mean, mean_of, region_mean
from mavos_jax.runtime.files import inside, written_whole
from mavos_jax.scores.scores import BenchmarkScores, ObjectResult

# The columns of the official tool of LVOS and what the summary calls them.
_LVOS_COLUMNS = {
    "J&F-Mean": "J&F",
    "J-Mean": "J",
    "J-seen-Mean": "J_s",
    "J-unseen-Mean": "J_u",
    "F-Mean": "F",
    "F-seen-Mean": "F_s",
    "F-unseen-Mean": "F_u",
    "V-Mean": "V",
    "V-seen-Mean": "V_s",
    "V-unseen-Mean": "V_u",
}


class Table(NamedTuple):
    """Names of columns, and rows of texts and numbers.

    Attributes:
      columns: their names.
      rows: each with a value for every column.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str | float, ...], ...]


def global_table(benchmark: Benchmark, scores: BenchmarkScores) -> Table:
    """The scores of the set: one row, with the columns of the official tool where there is one."""
    values = dict(scores.summary)
    if benchmark.dataset in ("lvos1", "lvos2"):
        both = {
            "J": mean_of(scores.objects, region_mean),
            "F": mean_of(scores.objects, boundary_mean),
        }
        values = _renamed(both | values, _LVOS_COLUMNS)
    return Table(tuple(values), (tuple(values.values()),))


def sequence_table(scores: BenchmarkScores) -> Table:
    """The scores of every object, called ``<sequence>_<id>`` as by the official tools."""
    has_stability = any(row.stability is not None for row in scores.objects)
    columns = ("Sequence", "J-Mean", "F-Mean", *(["V-Mean"] if has_stability else []))
    return Table(columns, tuple(_sequence_row(row) for row in scores.objects))


def table_files(benchmark: Benchmark) -> tuple[str, str]:
    """The names of the files of :func:`write_tables`."""
    split = benchmark.split.replace("/", "_")  # which may be a folder of several levels
    return f"global_results-{split}.csv", f"per-sequence_results-{split}.csv"


def write_tables(folder: Path, benchmark: Benchmark, scores: BenchmarkScores) -> None:
    """Writes ``global_results-<split>.csv`` and ``per-sequence_results-<split>.csv``.

    Numbers have three decimals; one that is not defined is left empty.

    Args:
      folder: where to; made if needed.
      benchmark: what was scored.
      scores: its scores.
    """
    tables = (global_table(benchmark, scores), sequence_table(scores))
    for name, table in zip(table_files(benchmark), tables, strict=True):
        path = inside(folder, folder / name)
        with written_whole(path) as temporary, temporary.open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(table.columns)
            writer.writerows([[_text(value) for value in row] for row in table.rows])


def format_table(table: Table) -> str:
    """Lays a table out as text, one line for each row below one for the columns."""
    lines = [table.columns, *([_text(value) for value in row] for row in table.rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(text.rjust(width) for text, width in zip(line, widths, strict=True))
        for line in lines
    )


def _sequence_row(row: ObjectResult) -> tuple[str | float, ...]:
    values = (f"{row.sequence}_{row.id}", region_mean(row), boundary_mean(row))
    return values if row.stability is None else (*values, row.stability)


def _renamed(values: Mapping[str, float], names: Mapping[str, str]) -> dict[str, float]:
    return {new: values[old] for new, old in names.items() if old in values}


def _text(value: str | float) -> str:
    if isinstance(value, str):
        return value
    return "" if math.isnan(value) else f"{value:.3f}"
