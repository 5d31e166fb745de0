"""From a network to the results of a benchmark: masks, scores, a submission and a report."""

import contextlib
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from mavos_jax.config.experiment import to_dict
from mavos_jax.datasets import Benchmark, BenchmarkOptions, open_benchmark
from mavos_jax.datasets.protocol import ScoringOptions
from mavos_jax.evaluation import scoring
from mavos_jax.evaluation.reading import mask_path, require_apart
from mavos_jax.evaluation.report import ReportContents, write_report
from mavos_jax.evaluation.results_json import RESULTS_JSON, write_results_json
from mavos_jax.evaluation.run_folder import RunFolder
from mavos_jax.evaluation.sequence import (
    SegmentationOptions,
    SequenceTask,
    highest_peak,
    set_speeds,
)
from mavos_jax.evaluation.sharing import check_sequences, check_truth, count_programs, segment_all
from mavos_jax.evaluation.submission import write_submission
from mavos_jax.media.folders import describe_unread
from mavos_jax.models.mavos import MAVOS, Variables
from mavos_jax.runtime.files import inside, short_hash
from mavos_jax.runtime.progress import Say
from mavos_jax.runtime.provenance import code_fingerprint, describe_software, this_command
from mavos_jax.runtime.trees import leaves_by_path
from mavos_jax.scores.metrics import BenchmarkScores

_CONCLUSION = ""  # what the process that scores claims; no sequence of a set has this name
_PROVENANCE = "provenance.json"
_REPORT = "report.html"
_CODE = ("evaluation/reading.py", "evaluation/sequence.py", "inference", "media", "models")


@dataclasses.dataclass(frozen=True)
class EvaluationOptions:
    """What to evaluate on, and how."""

    benchmark: BenchmarkOptions
    segmentation: SegmentationOptions
    scoring: ScoringOptions
    overwrite: bool = False  # whether the results of another run may be removed
    rle: bool = False  # whether ``results.json`` is written
    num_processes: int = 0  # processes that score, 0 for this one
    num_devices: int | None = None  # devices that segment, None for all
    report_frames: int = 1500  # frames with pictures in the report, over all sequences


def evaluate_benchmark(
    model: MAVOS, variables: Variables, options: EvaluationOptions, root: Path, report: Say
) -> BenchmarkScores | None:
    """Segments a benchmark, scores it if labels are public, and writes a page about it.

    Several processes may share the sequences by doing this for the same folder at once; one of them
    scores, the others return None. What an earlier call of the same run has finished is kept.
    """
    benchmark = open_benchmark(options.benchmark)
    require_apart(benchmark, root)
    tasks = check_sequences(benchmark, options.segmentation.num_objects)
    if benchmark.has_truth:
        scoring.describe_unseen(benchmark, options.scoring)  # refuses the list of another set
    identity = _identity(model, variables, benchmark, options)
    software = describe_software(this_command())
    files = (scoring.FILE_NAME, RESULTS_JSON, *scoring.table_files(benchmark), _zip_name(benchmark))
    conclusions = (*files, _PROVENANCE, _REPORT)
    if benchmark.has_truth and options.overwrite:  # while the earlier results are still there
        check_truth(tasks)
    with RunFolder.opened(
        root, identity, software, conclusions=conclusions, overwrite=options.overwrite
    ) as folder:
        for fault in filter(None, map(folder.fault, tasks)):
            report(f"{fault}; the sequence is done again")
        waiting = [task for task in tasks if folder.record(task) is None]
        num_frames = sum(len(task.sequence.frames) for task in waiting)
        report(
            f"{benchmark.name}: {len(waiting)} of {len(tasks)} sequences to segment, {num_frames} "
            f"frames, {count_programs(model, waiting, options.segmentation)} programs"
        )
        unread = describe_unread(task.sequence.frames[0].parent for task in tasks)
        for note in (*benchmark.notes, *unread):
            report(note)
        if benchmark.has_truth and not options.overwrite:
            check_truth(waiting)
        devices = jax.local_devices()[: options.num_devices]
        segment_all(model, variables, tasks, folder, options.segmentation, devices, report)
        with folder.claim(_CONCLUSION) as is_free:
            if not is_free:
                report("another process scores")
                return None
            provenance = {**software, "started_by": folder.origin(), **identity}
            return _conclude(benchmark, tasks, folder, options, provenance, report)


def _conclude(
    benchmark: Benchmark,
    tasks: Sequence[SequenceTask],
    folder: RunFolder,
    options: EvaluationOptions,
    provenance: dict[str, Any],
    report: Say,
) -> BenchmarkScores | None:
    for fault in filter(None, map(folder.fault, tasks)):
        raise ValueError(f"{fault}; expected it as it was finished; start the same command again")
    records = [record for record in map(folder.record, tasks) if record is not None]
    speeds, (words, num_bytes) = set_speeds(records), highest_peak(records)
    provenance |= {
        "data": benchmark.fingerprint(),
        "speeds": {name: speed._asdict() for name, speed in speeds.items()},
        "compilation_seconds": sum(record.compilation_seconds for record in records),
        "memory": {words: num_bytes},
    }
    masks, scores = folder.root / "masks", None
    if benchmark.has_truth:
        provenance |= scoring.describe_inputs(masks, benchmark, options.scoring)
        with contextlib.suppress(scoring.NothingCounts):
            scores = scoring.score_results(
                benchmark, masks, options.scoring, num_processes=options.num_processes
            )
            scoring.write_scores(folder.root, benchmark, scores, provenance)
    folder.write(_PROVENANCE, provenance)
    is_whole = not options.benchmark.sequences
    network = provenance["config"]["name"]
    name = benchmark.name if is_whole else f"{len(tasks)} sequences of {benchmark.name}"
    contents = ReportContents(
        title=f"{network} on {name}",
        benchmark=benchmark,
        masks=masks,
        confidence=folder.root / "confidence",
        scores=scores,
        records=records,
        network=network if is_whole else "",  # the paper has no figures of a part of a set
        provenance=provenance,
        max_frames=options.report_frames,
    )
    write_report(folder.root / _REPORT, contents)
    for protocol, speed in speeds.items():
        report(
            f"FPS by the protocol {protocol}: {speed.all_frames:.2f} over all frames, "
            f"{speed.all_sequences:.2f} over sequences"
        )
    report(f"{words}: {num_bytes / 1e9:.2f} GB; masks and report.html are in {folder.root}")
    if scores is None:
        report(f"{name}: not scored: no frame with a true mask counts")
    else:
        report(f"{name}: {scores.protocol}\n{scoring.global_table(benchmark, scores)}")
    if options.rle:
        videos = {s.name: [mask_path(masks, s, t) for t in s.saved] for s in benchmark.sequences}
        write_results_json(inside(folder.root, folder.root / RESULTS_JSON), videos)
    if is_whole:
        path = inside(folder.root, folder.root / _zip_name(benchmark))
        size = "" if benchmark.short_edge is None else ", if it takes masks shrunk to short_edge"
        report(f"for the server{size}: {write_submission(benchmark, masks, path).path}")
    return scores


def _zip_name(benchmark: Benchmark) -> str:
    return f"{benchmark.dataset}-{benchmark.split.replace('/', '_')}.zip"


def _identity(
    model: MAVOS, variables: Variables, benchmark: Benchmark, options: EvaluationOptions
) -> dict[str, Any]:
    """Returns, as JSON values, everything the masks depend on except the sequences' files."""
    segmentation = options.segmentation
    return {
        "config": to_dict(model.config),
        "weights": digest(variables),
        "benchmark": benchmark.name,
        "sequences": sorted(options.benchmark.sequences),
        "resolution": options.benchmark.resolution,
        "all_frames": options.benchmark.all_frames,
        "short_edge": benchmark.short_edge,
        "output_height": benchmark.output_height,
        "scales": list(segmentation.augmentation.scales),
        "flip": segmentation.augmentation.flip,
        "num_objects": segmentation.num_objects,
        "soft_masks": segmentation.soft_masks,
        "times_frames": segmentation.times_frames,
        "device": jax.local_devices()[0].device_kind,
        "matmul_precision": jax.config.values["jax_default_matmul_precision"] or "default",
        "jax": jax.__version__,
        "code": code_fingerprint(*_CODE),
    }


def digest(variables: Variables) -> str:
    """Returns a short hash of the names, shapes and values of all variables."""
    leaves = {name: np.asarray(leaf) for name, leaf in leaves_by_path(variables).items()}
    return short_hash(f"{n} {x.dtype} {x.shape}".encode() + x.tobytes() for n, x in leaves.items())
