"""From a network to the results of a benchmark: masks, scores, a submission and a report."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from mavos_jax.config.experiment import to_dict
from mavos_jax.data.benchmarks import Benchmark, BenchmarkOptions, open_benchmark
from mavos_jax.evaluation.benchmark_run import check_sequences, count_programs, segment_all
from mavos_jax.evaluation.benchmark_sequence import SegmentationOptions, SequenceRecord
from mavos_jax.evaluation.report import ReportContents, SequenceTiming, write_report
from mavos_jax.evaluation.run_folder import RunFolder
from mavos_jax.evaluation.score_files import describe_inputs, write_scores
from mavos_jax.evaluation.scorers.rule import ScoringRule
from mavos_jax.evaluation.scores import BenchmarkScores
from mavos_jax.evaluation.scoring import score_results
from mavos_jax.evaluation.submissions import write_submission
from mavos_jax.evaluation.tables import format_table, global_table
from mavos_jax.evaluation.timing import peak_memory
from mavos_jax.models.mavos import MAVOS, Variables
from mavos_jax.provenance import describe_software, this_command

_CONCLUSION = "conclusion"
"""What the process that scores claims; no sequence of a set is called so."""


@dataclasses.dataclass(frozen=True)
class EvaluationOptions:
    """What to evaluate on, and how.

    Attributes:
      benchmark: which set.
      segmentation: how its sequences are segmented.
      rule: variants of its scorer.
      overwrite: whether the results of another run may be removed.
      num_processes: that score; 0 scores in this process.
      num_devices: that segment; None for all of this process.
      report_frames: frames with pictures in the report, over all sequences.
    """

    benchmark: BenchmarkOptions
    segmentation: SegmentationOptions
    rule: ScoringRule
    overwrite: bool = False
    num_processes: int = 0
    num_devices: int | None = None
    report_frames: int = 1500


class Speed(NamedTuple):
    """Frames a second over a set.

    Attributes:
      all_frames: all frames by all seconds.
      all_sequences: 1 by the mean, over sequences, of the seconds a frame takes.
    """

    all_frames: float
    all_sequences: float


def evaluate_benchmark(
    model: MAVOS,
    variables: Variables,
    options: EvaluationOptions,
    root: Path,
    report: Callable[[str], None],
) -> BenchmarkScores | None:
    """Segments a benchmark, scores it where labels are public, and writes a page about it.

    Several processes may do this for the same folder at once and share the sequences; the one that
    ends last scores. What an earlier call has finished is kept, if it was of the same run.

    Args:
      model: the network.
      variables: its variables.
      options: see the class.
      root: gets ``masks/``, ``run.json``, ``timing.json``, a zip for the server, ``report.html``,
        and, where labels are public, ``scores.json`` and CSV files.
      report: called with lines for the user.

    Returns:
      The scores, None without public labels or while other processes are at work.

    Raises:
      ValueError: the set, a file of it, or the folder is not as expected.
      OSError: results cannot be written.
    """
    benchmark = open_benchmark(options.benchmark)
    tasks = check_sequences(benchmark, options.segmentation.num_objects)
    identity = _identity(model, variables, benchmark, options.segmentation)
    provenance = describe_software(this_command())
    folder = RunFolder.open(root, identity, provenance, overwrite=options.overwrite)
    waiting = [task for task in tasks if folder.record(task.sequence) is None]
    num_frames = sum(len(task.sequence.frames) for task in waiting)
    report(
        f"{benchmark.name}: {len(waiting)} of {len(tasks)} sequences to segment, {num_frames} "
        f"frames, {count_programs(model, waiting, options.segmentation)} programs"
    )
    is_finished = segment_all(
        *(model, variables, waiting, folder, options.segmentation),
        jax.local_devices()[: options.num_devices],
        lambda record: report(_describe(record)),
    )
    # Others may have finished the rest; whoever sees that all is done concludes.
    if not is_finished or any(folder.record(task.sequence) is None for task in tasks):
        report("other processes are at work on the rest; the last of them scores")
        return None
    with folder.claim(_CONCLUSION) as is_free:
        if not is_free:
            report("another process scores")
            return None
        return _conclude(benchmark, folder, options, {**provenance, **identity}, report)


def set_speeds(records: Iterable[SequenceRecord]) -> dict[str, Speed]:
    """Returns the speeds over a set, by the names of the protocols that all sequences have."""
    timings = [record.timings for record in records]
    shared = [name for name in timings[0] if all(name in timing for timing in timings)]
    speeds = {}
    for name in shared:
        frames, seconds = np.array([timing[name] for timing in timings], np.float64).T
        all_sequences = 1 / float((seconds / frames).mean())
        speeds[name] = Speed(float(frames.sum() / seconds.sum()), all_sequences)
    return speeds


def _conclude(
    benchmark: Benchmark,
    folder: RunFolder,
    options: EvaluationOptions,
    provenance: Mapping[str, Any],
    report: Callable[[str], None],
) -> BenchmarkScores | None:
    records = [folder.record(sequence) for sequence in benchmark.sequences]
    done = [record for record in records if record is not None]
    speeds, memory = set_speeds(done), peak_memory()
    timing = {
        "speeds": {name: speed._asdict() for name, speed in speeds.items()},
        "compilation_seconds": sum(record.compilation_seconds for record in done),
        "memory": {memory[0]: memory[1]},
    }
    folder.write("timing.json", timing)
    masks, scores = folder.root / "masks", None
    if benchmark.has_truth:
        inputs = describe_inputs(masks, benchmark, options.rule)
        scores = score_results(benchmark, masks, options.rule, num_processes=options.num_processes)
        provenance = {**provenance, **inputs, "timing": timing}
        write_scores(folder.root, benchmark, scores, provenance)
    write_report(
        folder.root / "report.html",
        ReportContents(
            title=f"{provenance['config']['name']} on {benchmark.name}",
            benchmark=benchmark,
            masks=masks,
            scores=scores,
            timings={record.name: _timing(record) for record in done},
            memory=memory,
            network=provenance["config"]["name"],
            provenance=provenance,
            max_frames=options.report_frames,
        ),
    )
    for name, speed in speeds.items():
        report(
            f"FPS by the protocol {name}: {speed.all_frames:.2f} over all frames, "
            f"{speed.all_sequences:.2f} over sequences"
        )
    report(f"{memory[0]}: {memory[1] / 1e9:.2f} GB; masks and report.html are in {folder.root}")
    if scores is not None:
        report(f"{benchmark.name}: {scores.rule}\n{format_table(global_table(benchmark, scores))}")
    submission = write_submission(
        benchmark, masks, folder.root / f"{benchmark.dataset}-{benchmark.split}.zip"
    )
    report(f"for the server: {submission.path}")
    return scores


def _identity(
    model: MAVOS, variables: Variables, benchmark: Benchmark, options: SegmentationOptions
) -> dict[str, Any]:
    """Returns JSON values of everything that masks depend on."""
    device = jax.local_devices()[0]
    return {
        "config": to_dict(model.config),
        "weights": digest(variables),
        "benchmark": benchmark.name,
        "short_edge": benchmark.short_edge,
        "output_height": benchmark.output_height,
        "scales": list(options.augmentation.scales),
        "flip": options.augmentation.flip,
        "num_objects": options.num_objects,
        "device": device.device_kind,
        "precision": str(jax.config.jax_default_matmul_precision or "default"),
        "jax": jax.__version__,
    }


def digest(variables: Variables) -> str:
    """Returns a SHA-256 of the names, shapes and values of all variables."""
    digest = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(variables):
        values = np.asarray(leaf)
        digest.update(f"{jax.tree_util.keystr(path)} {values.dtype} {values.shape}".encode())
        digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()


def _describe(record: SequenceRecord) -> str:
    speeds = ", ".join(f"{value:.2f} ({name})" for name, value in record.speeds.items())
    size = f"{record.height}x{record.width}"
    return (
        f"{record.name}: {record.num_frames} frames of {size}, {record.num_objects} objects, "
        f"FPS {speeds}, compilation {record.compilation_seconds:.1f} s"
    )


def _timing(record: SequenceRecord) -> SequenceTiming:
    return SequenceTiming(
        record.num_frames, record.speeds, record.num_objects, record.height, record.width
    )
