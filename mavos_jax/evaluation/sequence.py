"""Segments one sequence of a benchmark: checked first, decoded ahead, masks written behind."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mavos_jax.config import IGNORED
from mavos_jax.evaluation.benchmark_task import GivenMasks, SequenceTask
from mavos_jax.evaluation.reading import read_given
from mavos_jax.evaluation.sequence_record import SequenceRecord
from mavos_jax.inference.geometry import Augmentation
from mavos_jax.inference.video import stream_masks
from mavos_jax.media.masks import write_mask
from mavos_jax.models.mavos import MAVOS, Variables
from mavos_jax.runtime.compilation import CompilationClock
from mavos_jax.runtime.devices import peak_memory
from mavos_jax.runtime.files import WriteBehind, decoded_ahead, inside


class SegmentationOptions(NamedTuple):
    """How the sequences of a set are segmented.

    Attributes:
      augmentation: the views whose mean decides.
      num_objects: ``None`` numbers objects in order of appearance; a number says that ids are 1 to
        it and that all of them are in play from the start.
      times_frames: whether every frame is timed on its own, which takes frames one at a time.
    """

    augmentation: Augmentation = Augmentation()
    num_objects: int | None = None
    times_frames: bool = False


def segment_sequence(
    model: MAVOS,
    variables: Variables,
    task: SequenceTask,
    folder: Path,
    options: SegmentationOptions,
    count_frame: Callable[[], bool] = lambda: False,
) -> SequenceRecord | None:
    """Segments a sequence and writes the masks that make up its result.

    Args:
      model: the network.
      variables: its variables, on the device to use.
      task: the sequence.
      folder: gets a mask ``<frame>.png`` for every saved frame.
      options: see the class.
      count_frame: called at every frame; tells whether to give up.

    Returns:
      What it took, or None after giving up.

    Raises:
      ValueError: a frame cannot be read or has another size.
      OSError: a mask cannot be written.
    """
    sequence, saved = task.sequence, frozenset(task.sequence.saved)
    mask, palette = read_given(task.benchmark, sequence, 0, task.stored)
    frames = decoded_ahead(task.frame, len(sequence.frames))
    start = time.perf_counter()
    with (
        CompilationClock() as compilation,
        contextlib.closing(frames),
        WriteBehind(num_threads=2) as queue,
    ):
        times = _FrameTimes(compilation)
        masks = stream_masks(
            model,
            variables,
            frames,
            mask,
            labels=GivenMasks(task.benchmark, sequence, task.stored),
            num_objects=options.num_objects,
            augmentation=options.augmentation,
            output_size=task.sizes.output,
            on_frame=times if options.times_frames else None,
        )
        for index, ids in enumerate(masks):
            if count_frame():
                return None
            if index in saved:
                path = inside(folder, folder / f"{sequence.frame_name(index)}.png")
                # Pixels that a given mask ignores are no object's.
                queue.submit(write_mask, path, np.where(ids == IGNORED, 0, ids), palette)
    seconds = time.perf_counter() - start - compilation.seconds
    height, width = task.sizes.output
    return SequenceRecord(
        name=sequence.name,
        data=task.data,
        num_frames=len(sequence.frames),
        num_objects=task.counts[-1],
        height=height,
        width=width,
        compilation_seconds=compilation.seconds,
        timings={"end-to-end": (len(sequence.frames), seconds), **times.timings()},
        memory=peak_memory(),
    )


class _FrameTimes:
    """Collects the time of every frame, less what was compiled in it."""

    def __init__(self, compilation: CompilationClock) -> None:
        self._compilation = compilation
        self._compiled = 0.0
        self._seconds: list[float] = []

    def __call__(self, index: int, seconds: float) -> None:
        compiled = self._compilation.seconds
        self._seconds.append(seconds - (compiled - self._compiled))
        self._compiled = compiled

    def timings(self) -> dict[str, tuple[int, float]]:
        """Frames and seconds: of all but the first ("aot"), and of all ("xmem")."""
        if len(self._seconds) < 2:
            return {}
        count, total = len(self._seconds), sum(self._seconds)
        return {"aot": (count - 1, total - self._seconds[0]), "xmem": (count, total)}
