"""Segments one sequence of a benchmark: checked first, decoded ahead, masks written behind."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mavos_jax.data.benchmarks.benchmark import Benchmark, BenchmarkSequence
from mavos_jax.data.frames import describe_size, header_size
from mavos_jax.evaluation.benchmark_files import (
    input_size,
    output_size,
    read_frame,
    read_given,
    shrink_mask,
)
from mavos_jax.evaluation.decoding import decoded_ahead
from mavos_jax.evaluation.files import WriteBehind
from mavos_jax.evaluation.masks import object_ids, write_mask
from mavos_jax.evaluation.timing import CompilationClock
from mavos_jax.inference.geometry import Augmentation, Sizes, geometries, padded_size
from mavos_jax.inference.objects import num_groups, num_identities
from mavos_jax.inference.video import stream_masks
from mavos_jax.models.mavos import MAVOS, Variables


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


@dataclasses.dataclass(frozen=True)
class GivenMasks(Mapping[int, np.ndarray]):
    """The given masks of a sequence but the first, read each time they are asked for.

    Attributes:
      benchmark: the set.
      sequence: the sequence.
      stored: height and width of the stored frames, in pixels.
    """

    benchmark: Benchmark
    sequence: BenchmarkSequence
    stored: tuple[int, int]

    def __getitem__(self, index: int) -> np.ndarray:
        ids, _ = read_given(self.benchmark, self.sequence, index, self.stored)
        return shrink_mask(ids, output_size(self.benchmark, self.stored))

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(index for index in self.sequence.given if index))

    def __len__(self) -> int:
        return len(self.sequence.given) - 1


@dataclasses.dataclass(frozen=True)
class SequenceTask:
    """A sequence whose given masks have been checked.

    Attributes:
      benchmark: the set.
      sequence: the sequence.
      stored: height and width of its frames, in pixels.
      sizes: at which frames are taken and masks come out.
      counts: objects in play from the first frame on and after each later given mask.
    """

    benchmark: Benchmark
    sequence: BenchmarkSequence
    stored: tuple[int, int]
    sizes: Sizes
    counts: tuple[int, ...]

    @classmethod
    def open(
        cls, benchmark: Benchmark, sequence: BenchmarkSequence, num_objects: int | None = None
    ) -> SequenceTask:
        """Reads the given masks of a sequence, and the header of its first frame.

        Raises:
          ValueError: a mask or the frame cannot be used; the message names the file.
        """
        stored = header_size(sequence.frames[0])
        known: set[int] = set()
        counts = []
        for index in sorted(sequence.given):
            found = object_ids(read_given(benchmark, sequence, index, stored)[0])
            _require_objects(sequence, index, found)
            _require_ids_up_to(num_objects, sequence, index, found)
            known.update(found)
            counts.append(num_objects or len(known))
        sizes = Sizes(input_size(benchmark, stored), output_size(benchmark, stored))
        return cls(benchmark, sequence, stored, sizes, tuple(counts))

    def programs(self, model: MAVOS, augmentation: Augmentation) -> frozenset[tuple[Any, ...]]:
        """Returns what the sequence's compiled programs depend on."""
        views = geometries(model.config, self.sizes, augmentation)
        sizes = (padded_size(self.sizes.frame), *(view.network_size for view in views))
        output = padded_size(self.sizes.output)
        return frozenset((sizes, output, num_groups(n), num_identities(n)) for n in self.counts)


@dataclasses.dataclass(frozen=True)
class SequenceRecord:
    """What segmenting a sequence took.

    Attributes:
      name: of the sequence.
      data: fingerprint of its files.
      num_frames: frames segmented, the first included.
      num_objects: objects in play in the end.
      height: of the masks, in pixels.
      width: of the masks, in pixels.
      compilation_seconds: spent on compilation, which no timing contains.
      timings: frames and seconds by the name of the protocol.
    """

    name: str
    data: str
    num_frames: int
    num_objects: int
    height: int
    width: int
    compilation_seconds: float
    timings: Mapping[str, tuple[int, float]]

    @property
    def speeds(self) -> dict[str, float]:
        """Frames a second by the name of the protocol."""
        return {name: frames / seconds for name, (frames, seconds) in self.timings.items()}


def segment_sequence(
    model: MAVOS,
    variables: Variables,
    task: SequenceTask,
    folder: Path,
    options: SegmentationOptions,
    is_stopping: Callable[[], bool] = lambda: False,
) -> SequenceRecord | None:
    """Segments a sequence and writes the masks that make up its result.

    Args:
      model: the network.
      variables: its variables, on the device to use.
      task: the sequence.
      folder: gets a mask ``<frame>.png`` for every saved frame.
      options: see the class.
      is_stopping: asked at every frame whether to give up.

    Returns:
      What it took, or None after giving up.

    Raises:
      ValueError: a frame cannot be read or has another size.
      OSError: a mask cannot be written.
    """
    sequence, saved = task.sequence, frozenset(task.sequence.saved)
    mask, palette = read_given(task.benchmark, sequence, 0, task.stored)
    frames = decoded_ahead(lambda index: _read(task, index), len(sequence.frames))
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
            if is_stopping():
                return None
            if index in saved:
                path = folder / f"{sequence.frame_name(index)}.png"
                queue.submit(write_mask, path, ids, palette)
    seconds = time.perf_counter() - start - compilation.seconds
    height, width = task.sizes.output
    return SequenceRecord(
        name=sequence.name,
        data=sequence.fingerprint(),
        num_frames=len(sequence.frames),
        num_objects=task.counts[-1],
        height=height,
        width=width,
        compilation_seconds=compilation.seconds,
        timings={"end-to-end": (len(sequence.frames), seconds), **times.timings()},
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


def _read(task: SequenceTask, index: int) -> np.ndarray:
    path = task.sequence.frames[index]
    frame = read_frame(task.benchmark, path)
    size = (frame.shape[0], frame.shape[1])
    if size != task.sizes.frame:
        raise ValueError(
            f"{path}: expected {describe_size(task.sizes.frame)} as {task.sequence.frames[0].name},"
            f" found {describe_size(size)}; all frames must have one size"
        )
    return frame


def _require_objects(sequence: BenchmarkSequence, index: int, found: tuple[int, ...]) -> None:
    given = sequence.given[index]
    missing = () if given.ids is None else set(given.ids) - set(found)
    if missing or not found:
        wanted = ", ".join(map(str, sorted(missing))) or "at least one object"
        raise ValueError(
            f"{given.path}: expected {'the objects ' if missing else ''}{wanted} that the mask "
            f"starts, found {', '.join(map(str, found)) or 'none'}; restore the mask or the lists "
            "of the set"
        )


def _require_ids_up_to(
    num_objects: int | None, sequence: BenchmarkSequence, index: int, found: tuple[int, ...]
) -> None:
    if num_objects is not None and found[-1] > num_objects:
        raise ValueError(
            f"{sequence.given[index].path}: expected ids up to --num_objects {num_objects}, found "
            f"{found[-1]}; give a larger number, or none to number objects automatically"
        )
