"""Scores a folder of result masks by the protocol of its benchmark, in several processes."""

from __future__ import annotations

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
from mavos_jax.datasets.protocol import ScoringRule, SequenceMasks
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
from mavos_jax.scores.scores import BenchmarkScores, ObjectResult

__all__ = ["ScoringRule", "score_results"]


def score_results(
    benchmark: Benchmark, results: Path, rule: ScoringRule, *, num_processes: int = 0
) -> BenchmarkScores:
    """Scores masks by the protocol of their benchmark.

    Args:
      benchmark: the truth, for all its sequences.
      results: see :func:`mavos_jax.evaluation.reading.find_masks`; more frames or sequences do no
        harm.
      rule: variants of the protocol.
      num_processes: how many score sequences at a time, without touching JAX's devices; 0 for this
        one. Scores and their order do not depend on it.

    Raises:
      ValueError: there is no truth to score against, a mask is missing or wrong, no frame counts at
        all, or the list of unseen videos or categories names none of the set; the message names
        the folder or the file.
      OSError: a process was ended from outside.
    """
    unlabelled = [s.name for s in benchmark.sequences if not s.has_truth]
    if unlabelled:
        raise ValueError(
            f"{benchmark.root}: expected true masks beyond the given ones for all sequences of "
            f"{benchmark.name}, found none for {len(unlabelled)}: {name_some(unlabelled)}; where "
            "labels are not public, hand the results in at the benchmark's server"
        )
    protocol = find_protocol(benchmark.dataset)
    unseen = _describe_unseen(benchmark, rule)
    masks = find_masks(results, benchmark)
    # Every task carries its own sequence alone.
    settings = dataclasses.replace(benchmark, sequences=())
    score = functools.partial(_score_sequence, settings, masks, rule)
    by_sequence = _run(score, benchmark.sequences, num_processes)
    rows = tuple(row for of_sequence in by_sequence for row in of_sequence)
    if not rows:
        raise ValueError(
            f"{benchmark.root}: expected frames of {benchmark.name} that count, found that its "
            "protocol drops all that have true masks; label more frames"
        )
    words, summary = protocol.summarise(rows, rule)
    if unseen:
        words += f"; {unseen}"
    left_out = [s.name for s, own in zip(benchmark.sequences, by_sequence, strict=True) if not own]
    if left_out:
        words += f"; without {name_some(left_out)}, of which no frame counts"
    return BenchmarkScores(words, rows, summary)


def _describe_unseen(benchmark: Benchmark, rule: ScoringRule) -> str:
    """Says how many of the listed unseen names a set has; raises ValueError if it has none."""
    unseen_names = find_protocol(benchmark.dataset).unseen_names
    names = {name for sequence in benchmark.sequences for name in unseen_names(sequence)}
    if rule.unseen is None or not names:
        return ""
    found = rule.unseen & names
    if not found:
        raise ValueError(
            f"{benchmark.name}: expected names of its list of unseen ones "
            f"({name_some(sorted(rule.unseen))}) in the set, found none among "
            f"{name_some(sorted(names))}; take the list of this set, or none"
        )
    return f"{len(found)} of {len(rule.unseen)} names of the list are in the set"


def _score_sequence(
    benchmark: Benchmark, masks: Path, rule: ScoringRule, sequence: SequenceFiles
) -> tuple[ObjectResult, ...]:
    """Scores a sequence of a benchmark, which itself need not hold any."""

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

    def origin(index: int) -> str:
        return str(mask_path(masks, sequence, index))

    files = SequenceMasks(truth, prediction, origin)
    return find_protocol(benchmark.dataset).score(sequence, files, rule)


def _run(
    score: Callable[[SequenceFiles], tuple[ObjectResult, ...]],
    sequences: Sequence[SequenceFiles],
    num_processes: int,
) -> list[tuple[ObjectResult, ...]]:
    num_processes = min(num_processes, len(sequences))
    if num_processes <= 1:
        return [score(sequence) for sequence in sequences]
    # Forking would copy JAX's threads and locks in whatever state they are.
    executor = ProcessPoolExecutor(
        num_processes, multiprocessing.get_context("spawn"), initializer=_start_process
    )
    try:
        return list(executor.map(score, sequences))
    except BrokenProcessPool as error:
        raise OSError(
            "a scoring process was ended from outside, perhaps for want of memory; use fewer"
        ) from error
    finally:
        executor.shutdown(cancel_futures=True)


def _start_process() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted too, and ends this one
