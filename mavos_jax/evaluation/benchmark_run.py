"""Segments all sequences of a benchmark, spread over devices and processes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax

from mavos_jax.data.benchmarks.benchmark import Benchmark
from mavos_jax.evaluation.benchmark_sequence import (
    SegmentationOptions,
    SequenceRecord,
    SequenceTask,
    segment_sequence,
)
from mavos_jax.evaluation.run_folder import RunFolder
from mavos_jax.models.mavos import MAVOS, Variables

_NUM_CHECKING_THREADS = 4


def check_sequences(benchmark: Benchmark, num_objects: int | None) -> tuple[SequenceTask, ...]:
    """Reads all given masks, so that a wrong one shows before any work is done.

    Raises:
      ValueError: a mask or a first frame cannot be used; the message names the file.
    """
    with ThreadPoolExecutor(_NUM_CHECKING_THREADS) as pool:
        tasks = pool.map(
            lambda sequence: SequenceTask.open(benchmark, sequence, num_objects),
            benchmark.sequences,
        )
        return tuple(tasks)


def segment_all(
    model: MAVOS,
    variables: Variables,
    tasks: Sequence[SequenceTask],
    folder: RunFolder,
    options: SegmentationOptions,
    devices: Sequence[Any],
    report: Callable[[SequenceRecord], None],
) -> bool:
    """Segments what nobody has finished or claimed, one sequence at a time on each device.

    Sequences that share compiled programs come one after the other. The first error stops all
    devices; sequences finished before it stay.

    Args:
      model: the network.
      variables: its variables.
      tasks: all sequences of the set.
      folder: of the run.
      options: how to segment.
      devices: of JAX, to segment on.
      report: called with the record of each sequence that this process finishes.

    Returns:
      Whether all sequences are finished, by this process or by others.

    Raises:
      ValueError: a frame cannot be used.
      OSError: a mask cannot be written.
    """
    ordered = iter(sorted(tasks, key=lambda task: _order(task, model, options)))
    shared = _Shared(ordered)

    def work(device: Any) -> None:
        with jax.default_device(device):
            placed = jax.device_put(variables, device)
            for task in shared:
                try:
                    _segment(model, placed, task, folder, options, report, shared)
                except BaseException:
                    shared.stop()
                    raise

    if len(devices) == 1:
        work(devices[0])
    else:
        with ThreadPoolExecutor(len(devices), thread_name_prefix="device") as pool:
            for done in [pool.submit(work, device) for device in devices]:
                done.result()
    return all(folder.record(task.sequence) for task in tasks)


def count_programs(
    model: MAVOS, tasks: Sequence[SequenceTask], options: SegmentationOptions
) -> int:
    """Returns how many different programs the frames of a set need."""
    return len(frozenset().union(*(task.programs(model, options.augmentation) for task in tasks)))


class _Shared:
    """Hands tasks out to threads until they are told to stop."""

    def __init__(self, tasks: Iterator[SequenceTask]) -> None:
        self._tasks = tasks
        self._lock = threading.Lock()
        self.is_stopping = False

    def stop(self) -> None:
        self.is_stopping = True

    def __iter__(self) -> _Shared:
        return self

    def __next__(self) -> SequenceTask:
        with self._lock:
            if self.is_stopping:
                raise StopIteration
            return next(self._tasks)


def _segment(
    model: MAVOS,
    variables: Variables,
    task: SequenceTask,
    folder: RunFolder,
    options: SegmentationOptions,
    report: Callable[[SequenceRecord], None],
    shared: _Shared,
) -> None:
    name = task.sequence.name
    with folder.claim(name) as is_free:
        if not is_free or folder.record(task.sequence) is not None:
            return
        record = segment_sequence(
            *(model, variables, task, folder.masks(name), options),
            is_stopping=lambda: shared.is_stopping,
        )
        if record is not None:
            folder.finish(record)
            report(record)


def _order(task: SequenceTask, model: MAVOS, options: SegmentationOptions) -> tuple:
    return sorted(task.programs(model, options.augmentation)), task.sequence.name
