"""What a report shows, and its first view: the summary beside the paper's, and the sequences."""

import dataclasses
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from mavos_jax.datasets.dataset import Benchmark, Published
from mavos_jax.datasets.sequences import SequenceFiles
from mavos_jax.datasets.table import DATA_SETS
from mavos_jax.evaluation.report.pictures import worst_frame
from mavos_jax.evaluation.sequence import SequenceRecord, highest_peak, set_speeds
from mavos_jax.runtime.trees import fields_by_path
from mavos_jax.scores.metrics import BenchmarkScores, ObjectResult, mean_scores

Plain = dict[str, object]  # what JSON can hold


@dataclasses.dataclass(frozen=True)
class ReportContents:
    """What the report of one benchmark shows."""

    title: str
    benchmark: Benchmark
    masks: Path  # the results, <sequence>/<frame>.png; any may be missing
    scores: BenchmarkScores | None  # None if the labels are not public
    records: Sequence[SequenceRecord]  # what the finished sequences took
    network: str  # or its configuration; its name finds the paper's row
    provenance: Mapping[str, object]  # nested versions, checksums and settings behind the results
    confidence: Path | None = None  # a folder of <sequence>.csv, any of which may be missing
    max_frames: int = 1500  # frames shown as pictures, over all sequences
    width: int = 320  # greatest width of the pictures, in pixels

    def finished_frames(self, sequence: SequenceFiles) -> tuple[int, ...]:
        """Lists the saved frames whose masks are there, ascending."""
        folder = self.masks / sequence.name
        there = {path.stem for path in folder.glob("*.png")} if folder.is_dir() else set()
        return tuple(t for t in sequence.saved if sequence.frame_name(t) in there)

    def results(self) -> dict[str, list[ObjectResult]]:
        """The scores of the objects, by the name of their sequence."""
        found: dict[str, list[ObjectResult]] = {}
        for result in self.scores.objects if self.scores else ():
            found.setdefault(result.sequence, []).append(result)
        return found


def labelled_frames(sequence: SequenceFiles) -> frozenset[int]:
    """The frames with truth; none if there are only given masks."""
    return frozenset(sequence.truth) if sequence.has_truth else frozenset()


def find_paper_row(network: str, dataset: str, split: str) -> Published | None:
    """Finds what the paper reports of a model, or of a configuration for it ("mavos_main")."""
    if dataset not in DATA_SETS or split not in ("val", "valid"):
        return None
    wanted = re.sub(r" (main|released)$", "", _words(network))
    rows = DATA_SETS[dataset].published
    return next((row for row in rows if _words(row.model) == wanted), None)


def _words(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", " ", name.lower()).strip()


def overview(
    contents: ReportContents, finished: Sequence[Sequence[int]], shown: Sequence[int]
) -> Plain:
    """Gathers the first view from each sequence's frames with a result and number of pictures."""
    benchmark, scores = contents.benchmark, contents.scores
    paper = find_paper_row(contents.network, benchmark.dataset, benchmark.split)
    results = contents.results()
    records = {record.name: record for record in contents.records}
    provenance = fields_by_path(contents.provenance)
    rows = zip(benchmark.sequences, map(len, finished), shown, strict=True)
    return {
        "title": contents.title,
        "dataset": benchmark.dataset,
        "split": benchmark.split,
        "network": contents.network,
        "rule": scores.protocol if scores else None,
        "has_truth": any(labelled_frames(sequence) for sequence in benchmark.sequences),
        "summary": list(_summary(contents, paper)),
        "paper": paper and {"model": paper.model, "source": paper.source, "note": paper.condition},
        "protocols": list(dict.fromkeys(name for r in contents.records for name in r.timings)),
        "provenance": [[name, str(value)] for name, value in provenance.items()],
        "num_frames": sum(len(sequence.saved) for sequence in benchmark.sequences),
        "num_shown": sum(shown),
        "sequences": [
            _row(sequence, results.get(sequence.name, []), records.get(sequence.name), *numbers)
            for sequence, *numbers in rows
        ],
    }


def score_columns(results: Sequence[ObjectResult]) -> Plain:
    """The means over objects, in percent, by the names of the table's columns."""
    means = mean_scores(result.scores for result in results)
    columns: Plain = {"J&F": _percent(means.mean)}
    for letter, values in (("J", means.region), ("F", means.boundary)):
        columns[letter] = _percent(values.mean)
        columns[f"{letter} recall"] = _percent(values.recall)
        columns[f"{letter} decay"] = _percent(values.decay)
    return columns


def _percent(value: float) -> float | None:
    """Percent with two decimals; None for NaN, which JSON lacks."""
    return round(100 * value, 2) if math.isfinite(value) else None


def _summary(contents: ReportContents, paper: Published | None) -> Iterator[Plain]:
    """Yields measures of the whole set, the headline first, beside the paper's if it has them."""
    summary = contents.scores.summary if contents.scores else {}
    reported: dict[str, float | None] = {}
    if paper:
        for letter, value in (("J", paper.region), ("F", paper.boundary)):
            reported |= {letter: value, f"{letter}-Mean": value}
        reported |= {next(iter(summary), ""): paper.mean, "FPS, aot": paper.fps}
    for name, value in summary.items():
        yield _measure(name, "%", _percent(value), reported.get(name))
    for protocol, speed in set_speeds(contents.records).items():
        name = f"FPS, {protocol}"
        yield _measure(name, "fps", round(speed.all_frames, 3), reported.get(name))
        yield _measure(f"{name}, over sequences", "fps", round(speed.all_sequences, 3), None)
    if contents.records:
        words, size = highest_peak(contents.records)
        # What a process occupies on a CPU is no measure of a GPU's memory. The paper's is in GiB.
        memory = paper.memory * 1.024**3 if paper and paper.memory and "device" in words else None
        yield _measure(words, "GB", size / 1e9, memory)


def _measure(name: str, unit: str, value: float | None, reported: float | None) -> Plain:
    return {"name": name, "unit": unit, "value": value, "paper": reported}


def _row(
    sequence: SequenceFiles,
    results: Sequence[ObjectResult],
    record: SequenceRecord | None,
    num_finished: int,
    num_shown: int,
) -> Plain:
    worst = worst_frame(results)
    stabilities = [result.extra["V"] for result in results if "V" in result.extra]
    row: Plain = {
        "name": sequence.name,
        "frames": record.num_frames if record else len(sequence.frames),
        "objects": record.num_objects if record else len(results) or None,
        "height": record and record.height,
        "width": record and record.width,
        "fps": {name: round(fps, 3) for name, fps in record.speeds.items()} if record else {},
        "is_unseen": bool(results) and all(result.is_unseen for result in results),
        "has_truth": bool(labelled_frames(sequence)),
        "num_finished": num_finished,
        "num_expected": len(sequence.saved),
        "num_shown": num_shown,
        "worst": worst
        and {"frame": worst[0], "name": sequence.frame_name(worst[0]), "J&F": _percent(worst[1])},
        "V": _percent(float(np.mean(stabilities))) if stabilities else None,
    }
    return row | (score_columns(results) if results else {})
