"""Segments all sequences of a benchmark, spread over devices and processes."""

import functools
import os
import queue
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax

from mavos_jax.datasets import Benchmark
from mavos_jax.evaluation.reading import read_truth
from mavos_jax.evaluation.run_folder import RunFolder
from mavos_jax.evaluation.sequence import SegmentationOptions, SequenceTask, segment_sequence
from mavos_jax.media.folders import name_some
from mavos_jax.media.pictures import describe_size
from mavos_jax.models.mavos import MAVOS, Variables
from mavos_jax.runtime.progress import Progress, Say

_NUM_CHECKING_THREADS = 4
_SECONDS_BETWEEN_LOOKS = 1.0
_SECONDS_BETWEEN_LINES = 30.0


def check_sequences(benchmark: Benchmark, num_objects: int | None) -> tuple[SequenceTask, ...]:
    """Reads all given masks, so that a wrong one shows before any work is done."""
    check = functools.partial(SequenceTask.open, benchmark, num_objects=num_objects)
    with ThreadPoolExecutor(_NUM_CHECKING_THREADS) as pool:
        return tuple(pool.map(check, benchmark.sequences))


def check_truth(tasks: Sequence[SequenceTask]) -> None:
    """Decodes all true masks, so that a wrong one shows before any work is done."""

    def check(place: tuple[SequenceTask, int]) -> None:
        task, index = place
        height, width = read_truth(task.benchmark, task.sequence, index).shape
        if (height, width) != task.sizes.output:
            raise ValueError(
                f"{task.sequence.truth[index]}: expected a true mask of the size of results, "
                f"{describe_size(task.sizes.output)}, found {describe_size((height, width))}; "
                "restore it"
            )

    places = [(task, index) for task in tasks for index in task.sequence.truth]
    with (
        # Pillow lets other threads run while it decodes.
        ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool,
        Progress(len(places), "checking true masks", unit="mask") as progress,
    ):
        for _ in pool.map(check, places):
            progress.advance()


def segment_all(
    model: MAVOS,
    variables: Variables,
    tasks: Sequence[SequenceTask],
    folder: RunFolder,
    options: SegmentationOptions,
    devices: Sequence[Any],
    report: Say,
) -> None:
    """Segments what is not finished, one sequence at a time on each device, or one if timed.

    A sequence that another process works on is left to it, and taken over if that process ends.
    Sequences that share programs follow each other, long ones first. An error stops all devices.
    """
    if options.times_frames:
        devices = devices[:1]
    free: queue.SimpleQueue[tuple[Any, Variables]] = queue.SimpleQueue()
    for device in devices:
        free.put((device, jax.device_put(variables, device)))
    is_stopping = threading.Event()

    def segment(task: SequenceTask) -> bool:
        """Returns whether it segmented the sequence, which another process may do."""
        if is_stopping.is_set():
            return False
        device, own_variables = free.get()
        try:
            with jax.default_device(device), folder.claim(task.sequence.name) as is_free:
                if not is_free or folder.record(task) is not None:
                    return False
                places = folder.begin(task)
                record = segment_sequence(model, own_variables, task, places, options, count_frame)
                if record is not None:
                    folder.finish(record, task)
                    report(str(record))
                return True
        except BaseException:
            is_stopping.set()
            raise
        finally:
            free.put((device, own_variables))

    def count_frame() -> bool:
        progress.advance()
        return is_stopping.is_set()

    def order(task: SequenceTask) -> tuple[Any, ...]:
        programs = sorted(task.programs(model, options.augmentation))
        return programs, -len(task.sequence.frames), task.sequence.name

    ordered = sorted(tasks, key=order)
    while waiting := [task for task in ordered if folder.record(task) is None]:
        num_frames = sum(len(task.sequence.frames) for task in waiting)
        with (
            Progress(num_frames, "segmenting") as progress,
            ThreadPoolExecutor(len(devices), thread_name_prefix="device") as pool,
        ):
            run_all = map if len(devices) == 1 else pool.map
            try:
                is_at_work = any([*run_all(segment, waiting)])
            except BaseException:  # perhaps of this thread: an interruption from the keyboard
                is_stopping.set()
                raise
        if not is_at_work:
            _wait_for_others(folder, waiting, report)


def _wait_for_others(folder: RunFolder, waiting: Sequence[SequenceTask], report: Say) -> None:
    """Waits until a sequence is finished, or free because the process that held it has ended."""

    def is_free(task: SequenceTask) -> bool:
        with folder.claim(task.sequence.name) as free:
            return free

    said = float("-inf")
    while not any(folder.record(task) or is_free(task) for task in waiting):
        if time.monotonic() - said >= _SECONDS_BETWEEN_LINES:
            names = name_some([task.sequence.name for task in waiting])
            report(f"waiting for other processes that segment {names}")
            said = time.monotonic()
        time.sleep(_SECONDS_BETWEEN_LOOKS)


def count_programs(
    model: MAVOS, tasks: Sequence[SequenceTask], options: SegmentationOptions
) -> int:
    """Returns how many different programs the frames of a set need."""
    return len(frozenset().union(*(task.programs(model, options.augmentation) for task in tasks)))
