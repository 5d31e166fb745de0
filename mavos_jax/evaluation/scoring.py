"""Scores a folder of result masks by the protocol of its benchmark, in several processes."""

import dataclasses
import functools
import multiprocessing
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np

from mavos_jax.datasets.dataset import Benchmark
from mavos_jax.datasets.protocol import ScoringOptions, SequenceMasks
from mavos_jax.datasets.sequences import SequenceFiles
from mavos_jax.datasets.table import find_protocol
from mavos_jax.evaluation.reading import (
    find_masks,
    mask_path,
    output_size,
    read_prediction,
    read_truth,
)
from mavos_jax.media.folders import name_some
from mavos_jax.media.pictures import read_header
from mavos_jax.scores.metrics import BenchmarkScores, ObjectResult


def score_results(
    benchmark: Benchmark, results: Path, options: ScoringOptions, *, num_processes: int = 0
) -> BenchmarkScores:
    """Scores masks by the protocol of their benchmark, all sequences of which have truth.

    Surplus frames and sequences in ``results`` do no harm. ``num_processes`` score sequences at a
    time, 0 for this one. Raises ValueError if truth or masks are missing or wrong, or no frame
    counts; OSError if a process was ended from outside.
    """
    unlabelled = [s.name for s in benchmark.sequences if not s.has_truth]
    if unlabelled:
        raise ValueError(
            f"{benchmark.root}: expected true masks beyond the given ones for all sequences of "
            f"{benchmark.name}, found none for {len(unlabelled)}: {name_some(unlabelled)}; where "
            "labels are not public, hand the results in at the benchmark's server"
        )
    protocol = find_protocol(benchmark.dataset)
    unseen = _describe_unseen(benchmark, options)
    masks = find_masks(results, benchmark)
    # A task for another process carries its own sequence only.
    settings = dataclasses.replace(benchmark, sequences=())
    score = functools.partial(_score_sequence, settings, masks, options)
    by_sequence = _run(score, benchmark.sequences, num_processes)
    rows = tuple(row for of_sequence in by_sequence for row in of_sequence)
    if not rows:
        raise ValueError(
            f"{benchmark.root}: expected frames of {benchmark.name} that count, found that its "
            "protocol drops all that have true masks; label more frames"
        )
    words, summary = protocol.summarise(rows, options)
    if unseen:
        words += f"; {unseen}"
    left_out = [s.name for s, own in zip(benchmark.sequences, by_sequence, strict=True) if not own]
    if left_out:
        words += f"; without {name_some(left_out)}, of which no frame counts"
    return BenchmarkScores(words, rows, summary)


def _describe_unseen(benchmark: Benchmark, options: ScoringOptions) -> str:
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
        return read_truth(benchmark, sequence, index)

    def prediction(index: int) -> np.ndarray:
        size = output_size(benchmark, read_header(sequence.truth[index], "a mask").size)
        return read_prediction(masks, sequence, index, size, is_binary=benchmark.is_binary)

    files = SequenceMasks(truth, prediction, lambda t: str(mask_path(masks, sequence, t)))
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
