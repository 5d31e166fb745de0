"""Scores a folder of result masks by the protocol of its benchmark, in several processes."""

from __future__ import annotations

import dataclasses
import functools
import multiprocessing
import signal
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mavos_jax.datasets.dataset import Benchmark, BenchmarkSequence, Dataset
from mavos_jax.datasets.davis import score_davis2016, score_davis2017, summarise_davis
from mavos_jax.datasets.listing import name_some
from mavos_jax.datasets.long_time_video import score_long_time_video, summarise_long_time_video
from mavos_jax.datasets.lvos import score_lvos, summarise_lvos
from mavos_jax.datasets.mose import score_mose, summarise_mose
from mavos_jax.datasets.protocol import SequenceMasks
from mavos_jax.datasets.rule import ScoringRule
from mavos_jax.datasets.seen import describe_unseen
from mavos_jax.datasets.youtube_vos import score_youtube_vos, summarise_youtube_vos
from mavos_jax.evaluation.reading import (
    find_masks,
    mask_path,
    output_size,
    read_prediction,
    read_truth,
)
from mavos_jax.media.pictures import read_header
from mavos_jax.scores.scores import BenchmarkScores, ObjectResult

__all__ = ["ScoringRule", "score_results"]


class Protocol(NamedTuple):
    """How a benchmark is scored.

    Attributes:
      score: gives the rows of a sequence's objects.
      summarise: gives the rule in words and the summary, from the rows of all objects.
    """

    score: Callable[[BenchmarkSequence, SequenceMasks, ScoringRule], tuple[ObjectResult, ...]]
    summarise: Callable[[Sequence[ObjectResult], ScoringRule], tuple[str, dict[str, float]]]


def score_results(
    benchmark: Benchmark, results: Path, rule: ScoringRule, *, num_processes: int = 0
) -> BenchmarkScores:
    """Scores masks by the protocol of their benchmark.

    Args:
      benchmark: the truth, for all its sequences.
      results: a folder with ``<sequence>/<frame>.png``, or one with these in its folder
        ``Annotations`` or ``masks``. More frames or sequences do no harm.
      rule: variants of the protocol.
      num_processes: how many score sequences at a time; 0 for this one. They do not touch JAX's
        devices. Scores and their order do not depend on it.

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
    unseen = describe_unseen(benchmark, rule)
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
    words, summary = _PROTOCOLS[benchmark.dataset].summarise(rows, rule)
    if unseen:
        words += f"; {unseen}"
    left_out = [s.name for s, own in zip(benchmark.sequences, by_sequence, strict=True) if not own]
    if left_out:
        words += f"; without {name_some(left_out)}, of which no frame counts"
    return BenchmarkScores(words, rows, summary)


def _score_sequence(
    benchmark: Benchmark, masks: Path, rule: ScoringRule, sequence: BenchmarkSequence
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
    return _PROTOCOLS[benchmark.dataset].score(sequence, files, rule)


def _run(
    score: Callable[[BenchmarkSequence], tuple[ObjectResult, ...]],
    sequences: Sequence[BenchmarkSequence],
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


_PROTOCOLS: Mapping[Dataset, Protocol] = {
    "davis2016": Protocol(
        score_davis2016,
        functools.partial(
            summarise_davis, words="DAVIS 2016, one object: first and last frame dropped"
        ),
    ),
    "davis2017": Protocol(
        score_davis2017,
        functools.partial(
            summarise_davis, words="DAVIS 2017, semi-supervised: first and last frame dropped"
        ),
    ),
    "youtube_vos2018": Protocol(score_youtube_vos, summarise_youtube_vos),
    "youtube_vos2019": Protocol(score_youtube_vos, summarise_youtube_vos),
    "lvos1": Protocol(score_lvos, summarise_lvos),
    "lvos2": Protocol(score_lvos, summarise_lvos),
    "long_time_video": Protocol(score_long_time_video, summarise_long_time_video),
    "mose": Protocol(score_mose, summarise_mose),
    "folder": Protocol(score_mose, summarise_mose),
}
