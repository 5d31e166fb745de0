"""Segments all sequences of a benchmark, spread over devices and processes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax

from mavos_jax.data.benchmarks import Benchmark
from mavos_jax.evaluation.benchmark_sequence import (
    SegmentationOptions,
    SequenceRecord,
    segment_sequence,
)
from mavos_jax.evaluation.benchmark_task import SequenceTask
from mavos_jax.evaluation.run_folder import RunFolder
from mavos_jax.models.mavos import MAVOS, Variables

_NUM_CHECKING_THREADS = 4
_SECONDS_BETWEEN_LOOKS = 1.0


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
) -> None:
    """Segments what is not finished, one sequence at a time on each device.

    What another process is working on is left to it, and taken over should it end. Sequences that
    share compiled programs come one after the other, long ones first. The first error stops all
    devices; sequences finished before it stay.

    Args:
      model: the network.
      variables: its variables.
      tasks: all sequences of the set.
      folder: of the run.
      options: how to segment.
      devices: of JAX, to segment on; the first alone when frames are timed.
      report: called with the record of each sequence that this process finishes.

    Raises:
      ValueError: a frame cannot be used.
      OSError: a mask cannot be written.
    """
    if options.times_frames:
        devices = devices[:1]
    placed = [(device, jax.device_put(variables, device)) for device in devices]
    ordered = sorted(tasks, key=lambda task: _order(task, model, options))
    while waiting := [task for task in ordered if folder.record(task) is None]:
        shared = _Shared(iter(waiting))

        def work(device: Any, variables: Variables, shared: _Shared = shared) -> int:
            with jax.default_device(device):
                return sum(
                    _segment(model, variables, task, folder, options, report, shared)
                    for task in shared
                )

        if not _on_all(work, placed, shared):
            time.sleep(_SECONDS_BETWEEN_LOOKS)


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


def _on_all(
    work: Callable[[Any, Variables], int],
    placed: Sequence[tuple[Any, Variables]],
    shared: _Shared,
) -> int:
    """Works on all devices; returns how many sequences they segmented.

    An error, or an interruption from the keyboard, ends the work of all.
    """
    if len(placed) == 1:
        return work(*placed[0])
    with ThreadPoolExecutor(len(placed), thread_name_prefix="device") as pool:
        try:
            running = [pool.submit(work, *place) for place in placed]
            # The first error to come, not the first device's, must stop the others.
            for future in running:
                future.add_done_callback(lambda f: shared.stop() if f.exception() else None)
            return sum(future.result() for future in running)
        except BaseException:
            shared.stop()
            raise


def _segment(
    model: MAVOS,
    variables: Variables,
    task: SequenceTask,
    folder: RunFolder,
    options: SegmentationOptions,
    report: Callable[[SequenceRecord], None],
    shared: _Shared,
) -> bool:
    """Segments a sequence unless somebody else does; whether it did."""
    with folder.claim(task.sequence.name) as is_free:
        if not is_free or folder.record(task) is not None:
            return False
        masks = folder.begin(task)
        record = segment_sequence(
            model, variables, task, masks, options, lambda: shared.is_stopping
        )
        if record is not None:
            folder.finish(record)
            report(record)
        return True


def _order(task: SequenceTask, model: MAVOS, options: SegmentationOptions) -> tuple[Any, ...]:
    programs = sorted(task.programs(model, options.augmentation))
    return programs, -len(task.sequence.frames), task.sequence.name
