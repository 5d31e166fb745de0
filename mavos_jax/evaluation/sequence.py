"""One sequence of a benchmark: checked first, decoded ahead, segmented, masks written behind."""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mavos_jax.config import IGNORED
from mavos_jax.datasets import Benchmark, SequenceFiles
from mavos_jax.datasets.table import DATA_SETS
from mavos_jax.evaluation import reading
from mavos_jax.inference.geometry import Augmentation, Sizes, geometries, padded_size
from mavos_jax.inference.objects import num_groups, num_identities
from mavos_jax.inference.outputs import Judgement
from mavos_jax.inference.video import stream_masks
from mavos_jax.media.confidence import confidence_writer
from mavos_jax.media.ids import explain_emptiness, object_ids
from mavos_jax.media.masks import read_values, write_mask
from mavos_jax.media.pictures import read_frame_header, require_size
from mavos_jax.media.results import write_picture
from mavos_jax.media.sequence import MasksOnDemand
from mavos_jax.models.mavos import MAVOS, Variables
from mavos_jax.runtime.compilation import CompilationClock
from mavos_jax.runtime.devices import peak_memory
from mavos_jax.runtime.files import WriteBehind, decoded_ahead, inside
from mavos_jax.runtime.untrusted import typed

_TEXTS = ("name", "data")
_NUMBERS = ("num_frames", "num_objects", "height", "width")


class SegmentationOptions(NamedTuple):
    """How the sequences of a set are segmented."""

    augmentation: Augmentation = Augmentation()  # the views that are averaged
    num_objects: int | None = None  # None numbers objects as they appear
    soft_masks: bool = False  # whether they are also written
    times_frames: bool = False  # whether to time each frame, which takes frames one at a time


class Places(NamedTuple):
    """Where the results of a sequence go."""

    masks: Path  # a folder of <frame>.png
    confidence: Path  # a CSV
    soft: Path  # a folder of <id>/<frame>.png


@dataclasses.dataclass(frozen=True)
class SequenceTask:
    """A sequence whose given masks have been checked."""

    benchmark: Benchmark
    sequence: SequenceFiles
    stored: tuple[int, int]  # height and width of its frames on disk, in pixels
    sizes: Sizes
    data: str  # fingerprint of its files
    counts: tuple[int, ...]  # objects in play from the start and after each later given mask

    @classmethod
    def open(
        cls, benchmark: Benchmark, sequence: SequenceFiles, num_objects: int | None = None
    ) -> "SequenceTask":
        """Reads the given masks of a sequence, and the header of its first frame."""
        stored = read_frame_header(sequence.frames[0]).size
        known: set[int] = set()
        counts = []
        for index in sorted(sequence.given):
            found = object_ids(reading.read_given(benchmark, sequence, index, stored)[0])
            _require_objects(sequence, index, found, num_objects)
            known.update(found)
            counts.append(num_objects or len(known))
        sizes = Sizes(reading.input_size(benchmark, stored), reading.output_size(benchmark, stored))
        is_judged = sequence.has_truth or DATA_SETS[benchmark.dataset].server
        if num_objects is not None and num_objects > max(known) and is_judged:
            raise ValueError(
                f"{sequence.name}: expected --num_objects of at most {max(known)}, its highest id, "
                f"found {num_objects}; scorers and servers refuse ids that no object has, lower it"
            )
        return cls(benchmark, sequence, stored, sizes, sequence.fingerprint(), tuple(counts))

    def frame(self, index: int) -> np.ndarray:
        """Reads a frame, uint8 RGB [H, W, 3]; sizes are compared before pixels are decoded."""
        path, first = self.sequence.frames[index], self.sequence.frames[0].name
        require_size(path, read_frame_header(path).size, self.stored, first, is_frame=True)
        return reading.read_frame(self.benchmark, path)

    def programs(self, model: MAVOS, augmentation: Augmentation) -> frozenset[tuple[Any, ...]]:
        """Returns what the sequence's compiled programs depend on."""
        views = geometries(model.config, self.sizes, augmentation)
        sizes = (padded_size(self.sizes.frame), *(view.network_size for view in views))
        output = padded_size(self.sizes.output)
        return frozenset((sizes, output, num_groups(n), num_identities(n)) for n in self.counts)


def segment_sequence(
    model: MAVOS,
    variables: Variables,
    task: SequenceTask,
    places: Places,
    options: SegmentationOptions,
    count_frame: Callable[[], bool] = lambda: False,
) -> "SequenceRecord | None":
    """Segments a sequence and writes its saved masks and the confidence of all frames.

    It gives up if ``count_frame`` returns True.
    """
    sequence, saved = task.sequence, frozenset(task.sequence.saved)

    def read_later(index: int) -> np.ndarray:
        ids, _ = reading.read_given(task.benchmark, sequence, index, task.stored)
        return reading.shrink_mask(ids, task.sizes.output)

    mask, palette = reading.read_given(task.benchmark, sequence, 0, task.stored)
    frames = decoded_ahead(task.frame, len(sequence.frames))
    start = time.perf_counter()
    with (
        CompilationClock() as compilation,
        contextlib.closing(frames),
        confidence_writer(places.confidence, is_flushed=True) as add_confidence,
        WriteBehind(num_threads=2) as queue,
    ):
        times: list[float] = []

        def time_frame(index: int, seconds: float) -> None:
            times.append(seconds - compilation.since(time.perf_counter() - seconds))

        def judge(index: int, judged: dict[int, Judgement], soft: dict[int, np.ndarray]) -> None:
            name = sequence.frame_name(index)
            add_confidence(name, judged)
            for number, mask in soft.items() if index in saved else ():
                path = inside(places.soft, places.soft / str(number) / f"{name}.png")
                queue.submit(write_picture, path, mask)

        masks = stream_masks(
            *(model, variables, frames, mask),
            labels=MasksOnDemand(filter(None, sequence.given), read_later),
            num_objects=options.num_objects,
            augmentation=options.augmentation,
            output_size=task.sizes.output,
            on_frame=time_frame if options.times_frames else None,
            on_judged=judge,
            soft_masks=options.soft_masks,
        )
        for index, ids in enumerate(masks):
            if count_frame():
                return None
            if index in saved:
                path = inside(places.masks, places.masks / f"{sequence.frame_name(index)}.png")
                # Pixels that a given mask ignores belong to no object.
                queue.submit(write_mask, path, np.where(ids == IGNORED, 0, ids), palette)
    seconds = time.perf_counter() - start - compilation.seconds
    timings = {"end-to-end": (len(sequence.frames), seconds)}
    if len(times) > 1:  # "aot" leaves the first frame out
        timings |= {"aot": (len(times) - 1, sum(times[1:])), "xmem": (len(times), sum(times))}
    height, width = task.sizes.output
    return SequenceRecord(
        name=sequence.name,
        data=task.data,
        num_frames=len(sequence.frames),
        num_objects=task.counts[-1],
        height=height,
        width=width,
        compilation_seconds=compilation.seconds,
        timings=timings,
        memory=peak_memory(),
    )


def _require_objects(
    sequence: SequenceFiles, index: int, found: tuple[int, ...], num_objects: int | None
) -> None:
    """Raises unless a given mask shows the objects that start there, and no id above the limit."""
    given = sequence.given[index]
    if given.ids is None and not found:
        fault = explain_emptiness(read_values(given.path).ids)
        raise ValueError(f"{given.path}: {fault or 'expected an object that shrinking leaves'}")
    missing = () if given.ids is None else set(given.ids) - set(found)
    if missing:
        raise ValueError(
            f"{given.path}: expected the objects {', '.join(map(str, sorted(missing)))} that the "
            f"mask starts, found {', '.join(map(str, found)) or 'none'}; restore the mask or the "
            "lists of the set"
        )
    if num_objects is not None and found[-1] > num_objects:
        raise ValueError(
            f"{given.path}: expected ids up to --num_objects {num_objects}, found {found[-1]}; "
            "give a larger number, or none to number objects automatically"
        )


@dataclasses.dataclass(frozen=True)
class SequenceRecord:
    """What segmenting a sequence took."""

    name: str
    data: str  # fingerprint of the sequence's files
    num_frames: int
    num_objects: int
    height: int
    width: int
    compilation_seconds: int | float  # not contained in any timing
    timings: Mapping[str, tuple[int, int | float]]  # frames and seconds of end-to-end, aot, xmem
    memory: tuple[str, int]  # what was measured, and the peak until then in bytes
    # Checksum of each mask's file by frame name.
    masks: Mapping[str, str] = dataclasses.field(default_factory=dict)
    confidence: str = ""  # checksum of the CSV, if there is one

    @property
    def speeds(self) -> dict[str, float]:
        """Frames per second by protocol."""
        return {name: frames / seconds for name, (frames, seconds) in self.timings.items()}

    def __str__(self) -> str:
        speeds = ", ".join(f"{value:.2f} ({name})" for name, value in self.speeds.items())
        return (
            f"{self.name}: {self.num_frames} frames of {self.height}x{self.width}, "
            f"{self.num_objects} objects, FPS {speeds}, tracing and compilation "
            f"{self.compilation_seconds:.1f} s"
        )


def parse_record(content: Any) -> SequenceRecord:
    """Makes a record of JSON values; raises ValueError if they are unfit."""
    try:
        fields: dict[str, Any] = {name: typed(content[name], str) for name in _TEXTS}
        fields |= {name: typed(content[name], int) for name in _NUMBERS}
        fields["compilation_seconds"] = typed(content["compilation_seconds"], float)
        timings = {
            name: (typed(frames, int), typed(seconds, float))
            for name, (frames, seconds) in content["timings"].items()
        }
        kind, num_bytes = content["memory"]
        memory = (typed(kind, str), typed(num_bytes, int))
        masks = {name: typed(checksum, str) for name, checksum in content["masks"].items()}
        fields["confidence"] = typed(content.get("confidence", ""), str)
        if any(min(timing) <= 0 for timing in timings.values()):
            raise ValueError("a timing of nothing")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"expected the record of a finished sequence, found {error!r}") from error
    return SequenceRecord(**fields, timings=timings, memory=memory, masks=masks)


class Speed(NamedTuple):
    """Frames per second over a set: all frames by all seconds; 1 / the sequences' mean s/frame."""

    all_frames: float
    all_sequences: float


def set_speeds(records: Iterable[SequenceRecord]) -> dict[str, Speed]:
    """Returns the speeds over a set by every protocol that all sequences have."""
    timings = [record.timings for record in records]
    speeds = {}
    for name in timings[0] if timings else ():
        if all(name in timing for timing in timings):
            frames, seconds = np.array([timing[name] for timing in timings], np.float64).T
            all_sequences = 1 / float((seconds / frames).mean())
            speeds[name] = Speed(float(frames.sum() / seconds.sum()), all_sequences)
    return speeds


def highest_peak(records: Sequence[SequenceRecord]) -> tuple[str, int]:
    """Returns what was measured of memory, in words, and its highest peak in bytes."""
    return max((record.memory for record in records), key=lambda memory: memory[1])
