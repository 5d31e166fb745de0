"""Scores on disk: ``scores.json`` with every number unrounded, and tables as CSV or text."""

import csv
import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mavos_jax.datasets.dataset import Benchmark
from mavos_jax.datasets.protocol import ScoringOptions, boundary_mean, region_mean
from mavos_jax.datasets.table import find_protocol
from mavos_jax.evaluation.reading import fingerprint_results
from mavos_jax.runtime.files import inside, written_whole
from mavos_jax.runtime.provenance import code_fingerprint, version_of
from mavos_jax.runtime.untrusted import read_json, shortened, typed
from mavos_jax.scores.metrics import BenchmarkScores, ObjectResult

FILE_NAME = "scores.json"

_FORMAT = 2
_REMEDY = "; remove it or overwrite it"
_INPUTS = ("results_fingerprint", "scoring_rule")


def describe_inputs(results: Path, benchmark: Benchmark, options: ScoringOptions) -> dict[str, Any]:
    """Returns, as JSON values, what scores are computed from, and by which code."""
    unseen = None if options.unseen is None else sorted(options.unseen)
    return {
        "results": str(results.resolve()),
        "results_fingerprint": fingerprint_results(results, benchmark),
        "scoring_rule": dataclasses.asdict(options) | {"unseen": unseen},
        "code": {
            "mavos_jax": version_of("mavos_jax"),
            "scorers": code_fingerprint("datasets", "evaluation", "media", "scores"),
        },
    }


def require_replaceable(
    folder: Path, benchmark: Benchmark, provenance: Mapping[str, object]
) -> None:
    """Raises ValueError if a folder has scores of other inputs than in ``provenance``."""
    path = folder / FILE_NAME
    if not path.exists():
        return
    content = read_json(path, _REMEDY)
    try:
        if content["format"] != _FORMAT:
            raise ValueError(f"format {shortened(content['format'])}")
        scored, stored = (typed(content[name], dict) for name in ("benchmark", "provenance"))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path}: expected scores as this version writes them, found others or a damaged file "
            f"({type(error).__name__}: {error}){_REMEDY}"
        ) from error
    different = [name for name in _INPUTS if stored.get(name) != provenance[name]]
    if scored.get("fingerprint") != benchmark.fingerprint():
        different.insert(0, "benchmark")
    if different:
        raise ValueError(
            f"{path}: expected no scores, or scores of the same inputs, found a different "
            f"{' and '.join(different)}; choose another folder, or overwrite them"
        )


def write_scores(
    folder: Path, benchmark: Benchmark, scores: BenchmarkScores, provenance: Mapping[str, object]
) -> None:
    """Writes ``scores.json``, with what :func:`describe_inputs` returns, and the CSV files."""
    head = {
        "format": _FORMAT,
        "benchmark": {
            "dataset": benchmark.dataset,
            "split": benchmark.split,
            "root": str(benchmark.root.resolve()),
            "num_sequences": len(benchmark.sequences),
            "short_edge": benchmark.short_edge,
            "output_height": benchmark.output_height,
            "fingerprint": benchmark.fingerprint(),
        },
        "provenance": dict(provenance),
        "rule": scores.protocol,
        "summary": {name: _to_json(value) for name, value in scores.summary.items()},
    }
    # One line for each object keeps the file readable in spite of its values by frame.
    lines = [json.dumps(_row_to_json(row), allow_nan=False) for row in scores.objects]
    text = json.dumps(head, indent=2, allow_nan=False).removesuffix("\n}")
    with written_whole(inside(folder, folder / FILE_NAME)) as temporary:
        temporary.write_text(
            text + ',\n  "objects": [\n    ' + ",\n    ".join(lines) + "\n  ]\n}\n"
        )
    write_tables(folder, benchmark, scores)


def _row_to_json(row: ObjectResult) -> dict[str, Any]:
    scores = {
        measure: {name: _to_json(value) for name, value in of_measure._asdict().items()}
        for measure, of_measure in row.scores._asdict().items()
    }
    extra = {name: _to_json(value) for name, value in row.extra.items()}
    return row._asdict() | {"scores": scores, "extra": extra}


def _to_json(value: float) -> float | None:
    """JSON has no NaN, which the official decay may be."""
    return None if math.isnan(value) else value


class Table(NamedTuple):
    """Column names, and rows with a text or a number for every column."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str | float, ...], ...]

    def texts(self) -> list[tuple[str, ...]]:
        """The columns and rows; numbers with three decimals, empty if undefined."""
        return [self.columns, *(tuple(map(_text, row)) for row in self.rows)]

    def __str__(self) -> str:
        lines = self.texts()
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(text.rjust(width) for text, width in zip(line, widths, strict=True))
            for line in lines
        )


def _text(value: str | float) -> str:
    if isinstance(value, str):
        return value
    return "" if math.isnan(value) else f"{value:.3f}"


def global_table(benchmark: Benchmark, scores: BenchmarkScores) -> Table:
    """The scores of the set: one row, with the columns of the official tool if there is one."""
    values = find_protocol(benchmark.dataset).official_row(scores.objects, scores.summary)
    return Table(tuple(values), (tuple(values.values()),))


def sequence_table(scores: BenchmarkScores) -> Table:
    """The scores of every object, called ``<sequence>_<id>`` as by the official tools."""
    extra = dict.fromkeys(name for row in scores.objects for name in row.extra)
    columns = ("Sequence", "J-Mean", "F-Mean", *(f"{name}-Mean" for name in extra))
    rows = (
        (
            *(f"{row.sequence}_{row.id}", region_mean(row), boundary_mean(row)),
            *(row.extra.get(name, math.nan) for name in extra),
        )
        for row in scores.objects
    )
    return Table(columns, tuple(rows))


def write_tables(folder: Path, benchmark: Benchmark, scores: BenchmarkScores) -> None:
    """Writes the CSV files of :func:`table_files`."""
    tables = (global_table(benchmark, scores), sequence_table(scores))
    for name, table in zip(table_files(benchmark), tables, strict=True):
        path = inside(folder, folder / name)
        with written_whole(path) as temporary, temporary.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(table.texts())


def table_files(benchmark: Benchmark) -> tuple[str, str]:
    """The names of the CSV files of the whole set, and of its objects."""
    split = benchmark.split.replace("/", "_")  # which may be a folder of several levels
    return f"global_results-{split}.csv", f"per-sequence_results-{split}.csv"
