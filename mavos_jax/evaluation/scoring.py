"""Scores a folder of result masks by the protocol of its benchmark, and writes the scores."""

import csv
import dataclasses
import functools
import json
import math
import multiprocessing
import signal
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mavos_jax.datasets.dataset import Benchmark
from mavos_jax.datasets.protocol import ScoringOptions, SequenceMasks, boundary_mean, region_mean
from mavos_jax.datasets.sequences import SequenceFiles
from mavos_jax.datasets.table import find_protocol
from mavos_jax.evaluation import reading
from mavos_jax.media.folders import name_some
from mavos_jax.media.pictures import read_header
from mavos_jax.runtime.files import inside, written_whole
from mavos_jax.runtime.provenance import code_fingerprint, version_of
from mavos_jax.runtime.untrusted import read_json, shortened, typed
from mavos_jax.scores.metrics import BenchmarkScores, ObjectResult, ObjectScores, Statistics


class NothingCounts(ValueError):  # noqa: N818 - the name says what is wrong
    """The protocol drops all frames that have true masks."""


def score_results(
    benchmark: Benchmark, results: Path, options: ScoringOptions, *, num_processes: int = 0
) -> BenchmarkScores:
    """Scores masks by the protocol of their benchmark, all sequences of which have truth.

    ``num_processes`` score sequences at a time, 0 for this one; OSError if one is ended from
    outside. Raises ValueError if truth or masks are missing or wrong, or no frame counts.
    """
    unlabelled = [s.name for s in benchmark.sequences if not s.has_truth]
    if unlabelled:
        raise ValueError(
            f"{benchmark.root}: expected true masks beyond the given ones for all sequences of "
            f"{benchmark.name}, found none for {len(unlabelled)}: {name_some(unlabelled)}; where "
            "labels are not public, hand the results in at the benchmark's server"
        )
    unseen = describe_unseen(benchmark, options)
    masks = reading.find_masks(results, benchmark)
    # A task for another process carries its own sequence only.
    settings = dataclasses.replace(benchmark, sequences=())
    score = functools.partial(_score_sequence, settings, masks, options)
    by_sequence = _run(score, benchmark.sequences, num_processes)
    rows = tuple(row for of_sequence in by_sequence for row in of_sequence)
    if not rows:
        raise NothingCounts(
            f"{benchmark.root}: expected frames of {benchmark.name} that count, found that its "
            "protocol drops all that have true masks; label more frames"
        )
    words, summary = find_protocol(benchmark.dataset).summarise(rows, options)
    if unseen:
        words += f"; {unseen}"
    left_out = [s.name for s, own in zip(benchmark.sequences, by_sequence, strict=True) if not own]
    if left_out:
        words += f"; without {name_some(left_out)}, of which no frame counts"
    return BenchmarkScores(words, rows, summary)


def describe_unseen(benchmark: Benchmark, options: ScoringOptions) -> str:
    """Says how many of the listed unseen names a set has; raises ValueError if it has none."""
    unseen_names = find_protocol(benchmark.dataset).unseen_names
    names = {name for sequence in benchmark.sequences for name in unseen_names(sequence)}
    if options.unseen is None or not names:
        return ""
    found = options.unseen & names
    if not found:
        raise ValueError(
            f"{benchmark.name}: expected names of its list of unseen ones "
            f"({name_some(sorted(options.unseen))}) in the set, found none among "
            f"{name_some(sorted(names))}; take the list of this set, or none"
        )
    return f"{len(found)} of {len(options.unseen)} names of the list are in the set"


def _score_sequence(
    benchmark: Benchmark, masks: Path, options: ScoringOptions, sequence: SequenceFiles
) -> tuple[ObjectResult, ...]:
    def truth(index: int) -> np.ndarray:
        if index not in sequence.truth:
            raise ValueError(
                f"{benchmark.root}: expected a true mask of frame {sequence.frame_name(index)} of "
                f"{sequence.name}, which counts, found none"
            )
        return reading.read_truth(benchmark, sequence, index)

    def prediction(index: int) -> np.ndarray:
        size = reading.output_size(benchmark, read_header(sequence.truth[index], "a mask").size)
        return reading.read_prediction(masks, sequence, index, size, is_binary=benchmark.is_binary)

    files = SequenceMasks(truth, prediction, lambda t: str(reading.mask_path(masks, sequence, t)))
    return find_protocol(benchmark.dataset).score(sequence, files, options)


def _run(
    score: Callable[[SequenceFiles], tuple[ObjectResult, ...]],
    sequences: Sequence[SequenceFiles],
    num_processes: int,
) -> list[tuple[ObjectResult, ...]]:
    num_processes = min(num_processes, len(sequences))
    if num_processes <= 1:
        return [score(sequence) for sequence in sequences]
    # Forking would copy JAX's threads and locks. The parent is interrupted, and ends the others.
    context, ignored = multiprocessing.get_context("spawn"), (signal.SIGINT, signal.SIG_IGN)
    executor = ProcessPoolExecutor(num_processes, context, signal.signal, ignored)
    try:
        return list(executor.map(score, sequences))
    except BrokenProcessPool as error:
        raise OSError(
            "a scoring process was ended from outside, perhaps for want of memory; use fewer"
        ) from error
    finally:
        executor.shutdown(cancel_futures=True)


FILE_NAME = "scores.json"

_FORMAT = 2
_REMEDY = "; remove it or overwrite it"
_INPUTS = ("results_fingerprint", "scoring_rule")


def describe_inputs(results: Path, benchmark: Benchmark, options: ScoringOptions) -> dict[str, Any]:
    """Returns, as JSON values, what scores are computed from, and by which code."""
    unseen = None if options.unseen is None else sorted(options.unseen)
    return {
        "results": str(results.resolve()),
        "results_fingerprint": reading.fingerprint_results(results, benchmark),
        "scoring_rule": dataclasses.asdict(options) | {"unseen": unseen},
        "code": {
            "mavos_jax": version_of("mavos_jax"),
            "scorers": code_fingerprint("datasets", "evaluation", "media", "scores"),
        },
    }


def require_replaceable(folder: Path, benchmark: Benchmark, inputs: Mapping[str, object]) -> None:
    """Raises ValueError if a folder has scores of inputs other than these."""
    path = folder / FILE_NAME
    if not path.exists():
        for table in filter(Path.exists, (folder / name for name in table_files(benchmark))):
            raise ValueError(
                f"{table}: expected no scores, found a table without {FILE_NAME}, perhaps the "
                "official tool's; choose another folder, or overwrite it"
            )
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
    different = [name for name in _INPUTS if stored.get(name) != inputs[name]]
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
        "summary": _to_json(scores.summary),
    }
    # One line for each object keeps the file readable in spite of its values by frame.
    lines = [json.dumps(_to_json(row._asdict()), allow_nan=False) for row in scores.objects]
    text = json.dumps(head, indent=2, allow_nan=False).removesuffix("\n}")
    with written_whole(inside(folder, folder / FILE_NAME)) as temporary:
        rows = ",\n    ".join(lines)
        temporary.write_text(f'{text},\n  "objects": [\n    {rows}\n  ]\n}}\n')
    tables = (global_table(benchmark, scores), sequence_table(benchmark, scores))
    for name, table in zip(table_files(benchmark), tables, strict=True):
        path = inside(folder, folder / name)
        with written_whole(path) as temporary, temporary.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(table.texts())


def _to_json(value: Any) -> Any:
    """Returns named values with None for NaN, which JSON lacks and the official decay may be."""
    if isinstance(value, Mapping):
        return {name: _to_json(each) for name, each in value.items()}
    if isinstance(value, ObjectScores | Statistics):
        return _to_json(value._asdict())
    return None if isinstance(value, float) and math.isnan(value) else value


class Table(NamedTuple):
    """Column names, and rows with a text or a number for every column."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str | float, ...], ...]

    def texts(self) -> list[tuple[str, ...]]:
        """The columns and rows; numbers with three decimals, empty if undefined."""
        return [self.columns, *(tuple(map(_text, row)) for row in self.rows)]

    def __str__(self) -> str:
        columns = []
        for texts in zip(*self.texts(), strict=True):
            width = max(map(len, texts))
            columns.append([text.rjust(width) for text in texts])
        return "\n".join(map("  ".join, zip(*columns, strict=True)))


def _text(value: str | float) -> str:
    if isinstance(value, str):
        return value
    return "" if math.isnan(value) else f"{value:.3f}"


def global_table(benchmark: Benchmark, scores: BenchmarkScores) -> Table:
    """The scores of the set: one row, with the columns of the official tool if there is one."""
    values = find_protocol(benchmark.dataset).official_row(scores.summary)
    return Table(tuple(values), (tuple(values.values()),))


def sequence_table(benchmark: Benchmark, scores: BenchmarkScores) -> Table:
    """The scores of every object, called ``<sequence>_<id>`` as by the official tools."""
    extra = dict.fromkeys(name for row in scores.objects for name in row.extra)
    boundary = find_protocol(benchmark.dataset).boundary
    means = {"J": region_mean} | ({boundary: boundary_mean} if boundary else {})
    columns = ("Sequence", *(f"{name}-Mean" for name in (*means, *extra)))
    rows = (
        (
            *(f"{row.sequence}_{row.id}", *(mean(row) for mean in means.values())),
            *(row.extra.get(name, math.nan) for name in extra),
        )
        for row in scores.objects
    )
    return Table(columns, tuple(rows))


def table_files(benchmark: Benchmark) -> tuple[str, str]:
    """The names of the CSV files of the whole set, and of its objects."""
    split = benchmark.split.replace("/", "_")  # which may be a folder of several levels
    return f"global_results-{split}.csv", f"per-sequence_results-{split}.csv"
