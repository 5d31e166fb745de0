"""One video: its frames and masks are checked, segmented into a folder and, if known, scored."""

import collections
import contextlib
import dataclasses
import itertools
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mavos_jax.config import MAX_ID
from mavos_jax.datasets.protocol import ScoringOptions, SequenceMasks, score_objects
from mavos_jax.evaluation.both_ways import STOPS, split_frames, turned_round
from mavos_jax.evaluation.output import OutputFolder
from mavos_jax.generated.video import SyntheticVideo
from mavos_jax.inference.geometry import Augmentation
from mavos_jax.inference.video import stream_masks
from mavos_jax.media.frames import FrameSource
from mavos_jax.media.ids import explain_fullness, object_ids
from mavos_jax.media.masks import read_mask
from mavos_jax.media.pictures import DamagedSample
from mavos_jax.media.sequence import AnnotationUse, LaterMasks, open_sequence
from mavos_jax.models.mavos import MAVOS, Variables
from mavos_jax.runtime.compilation import CompilationClock
from mavos_jax.runtime.devices import peak_memory
from mavos_jax.runtime.progress import Progress, say
from mavos_jax.scores.metrics import ObjectScores, mean_scores

DEMONSTRATION = SyntheticVideo(seed=0, num_frames=24, height=192, width=192, num_objects=3)
"""The generated clip that shows what weights do, with known truth."""


@dataclasses.dataclass(frozen=True)
class VideoTask:
    """A video and the masks to start from, checked without decoding all of it."""

    frames: FrameSource  # from that of ``mask`` on, or all
    mask: np.ndarray  # ids of the objects in the frame to start from, uint8 [H, W]
    labels: Mapping[int, np.ndarray]  # masks of new or corrected objects, by frames after ``mask``
    palette: np.ndarray | None  # the mask's own colours, uint8 [256, 3], or None
    num_objects: int | None  # None numbers objects as they appear; else ids are 1 to it
    num_given: int  # objects in the masks
    num_skipped: int = 0  # frames before the first mask, left out
    inputs: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()  # lines for the user
    truth: Callable[[int], np.ndarray] | None = None  # true ids of a frame, uint8 [H, W]
    position: int = 0  # of the frame of ``mask``; those before are segmented backwards
    earlier: Mapping[int, np.ndarray] = dataclasses.field(default_factory=dict)  # labels there

    @classmethod
    def open(
        cls,
        video: Path,
        mask: Path | None,
        num_objects: int | None = None,
        *,
        start: str | None = None,
        annotations: AnnotationUse = "auto",
        both_ways: bool = False,
    ) -> "VideoTask":
        """Opens what :func:`~mavos_jax.media.sequence.open_sequence` opens; checks its masks."""
        sequence = open_sequence(video, mask, start, both_ways=both_ways)
        first = sequence.annotations.get(0)
        if first is None:
            raise ValueError(
                f"{video}: expected --mask FILE with the objects of the first frame, found none, "
                "and no masks in a folder Annotations beside JPEGImages"
            )
        frames = sequence.frames
        notes = (*getattr(frames, "notes", ()), *sequence.notes)
        _require_mask_apart(first, frames)
        values = ids, palette = read_mask(first, frames.size)
        if odd := explain_fullness(ids):
            notes = (*notes, f"{first}: {odd}")
        known = object_ids(ids)
        late = {index: file for index, file in sequence.annotations.items() if index > 0}
        sides = {"": late, "backwards: ": sequence.earlier}
        is_truth = annotations == "auto" and 1 + sum(map(len, sides.values())) == frames.num_frames
        corrects = annotations == "all" or (annotations == "auto" and not is_truth)
        given, labels = set(known), []
        _require_ids_up_to(num_objects, first, known)
        for side, files in sides.items():
            masks = LaterMasks(files, values, corrects=corrects)
            labels.append(masks)
            if files:
                why = "every frame has one, as sets of known truth have; --annotations all corrects"
                is_passed_over = is_truth and masks.corrections
                notes = (*notes, f"{side}{masks}{f' ({why})' if is_passed_over else ''}")
            for index, new_ids in masks.new_ids.items():
                if side:
                    words = ", ".join(map(str, new_ids))
                    place = frames.name(sequence.position - index)
                    notes = (*notes, f"{side}objects only from {place} down to the first: {words}")
                given.update(new_ids)
                _require_ids_up_to(num_objects, files[index], new_ids)
        return cls(
            *(frames, ids, labels[0], palette, num_objects),
            num_given=len(given),
            num_skipped=sequence.num_skipped,
            inputs=(Path(frames.origin), first, *late.values(), *sequence.earlier.values()),
            notes=notes,
            position=sequence.position,
            earlier=labels[1],
        )

    @classmethod
    def demonstration(cls, num_objects: int | None = None) -> "VideoTask":
        """The generated clip, its first mask, and the truth."""
        frames, truth, number = DEMONSTRATION.frames, DEMONSTRATION.mask, DEMONSTRATION.num_objects
        _require_ids_up_to(num_objects, frames.origin, range(1, number + 1))
        return cls(frames, truth(0), {}, None, num_objects, number, truth=truth)

    def __str__(self) -> str:
        number, first = self.frames.num_frames, self.frames.name(self.position)
        skipped = f" from {first} on, {self.num_skipped} skipped" if self.num_skipped else ""
        if self.position:
            skipped = f", both ways from {first}"
        num_first = len(object_ids(self.mask))
        num_late = self.num_given - num_first
        when = "elsewhere" if self.position else "later"
        late = f" ({num_first} at {first}, {num_late} {when})" if num_late else ""
        return (
            f"frames: {'unknown' if number is None else number}{skipped}; "
            f"objects: {self.num_given}{late}"
        )


def _require_mask_apart(mask: Path, frames: FrameSource) -> None:
    folder = Path(frames.origin)
    if mask.exists() and folder.is_dir() and mask.resolve().parent == folder.resolve():
        raise ValueError(
            f"{mask}: expected the mask outside the folder of frames, found it among them, where "
            "it counts as a frame; move it"
        )


def _require_ids_up_to(num_objects: int | None, origin: object, ids: Sequence[int]) -> None:
    if num_objects is None:
        return
    if not 1 <= num_objects <= MAX_ID:
        raise ValueError(f"--num_objects: expected 1 to {MAX_ID}, found {num_objects}")
    if max(ids) > num_objects:
        raise ValueError(
            f"{origin}: expected ids up to {num_objects} as --num_objects says, found {max(ids)}; "
            "give a larger --num_objects, or none"
        )


@dataclasses.dataclass(frozen=True)
class VideoReport:
    """What segmenting a video took; ``memory`` names what was measured and its peak in bytes."""

    num_frames: int
    num_objects: int
    seconds: float
    compilation_seconds: float
    memory: tuple[str, int]
    scores: ObjectScores | None = None

    def __str__(self) -> str:
        running = max(self.seconds - self.compilation_seconds, 1e-9)
        name, num_bytes = self.memory
        return (
            f"{_count(self.num_frames, 'frame')}, {_count(self.num_objects, 'object')}, "
            f"{self.num_frames / self.seconds:.2f} FPS "
            f"({self.num_frames / running:.2f} without tracing and compilation), "
            f"{name} {num_bytes / 1e9:.2f} GB"
        )


def segment_to_folder(
    model: MAVOS,
    variables: Variables,
    task: VideoTask,
    output: OutputFolder,
    augmentation: Augmentation = Augmentation(),  # noqa: B008 - it cannot be changed
    *,
    soft_masks: bool = False,
) -> VideoReport:
    """Segments a video and writes masks as it goes; those that an error leaves are complete.

    Frames before that of the mask are segmented first, and written in order like the others.
    """
    to_score: list[np.ndarray] = []
    num_finished, failure, start = 0, None, time.perf_counter()

    def segment(
        frames: Iterable[np.ndarray], labels: Mapping[int, np.ndarray], numbers: range
    ) -> Iterator[np.ndarray]:
        def judge(index: int, *found: Any) -> None:
            if index or numbers.step > 0:  # the first frame backwards is also the first forwards
                write.judged(task.frames.name(numbers[index]), *found)

        return stream_masks(
            *(model, variables, frames, task.mask),
            labels=labels,
            num_objects=task.num_objects,
            augmentation=augmentation,
            on_judged=judge,
            soft_masks=soft_masks,
        )

    with (
        CompilationClock() as compilation,
        output.writer(task.frames, task.palette) as write,
        Progress(task.frames.num_frames, "segmenting") as progress,
        split_frames(task.frames, task.position, output.root) as (read, frames),
        contextlib.ExitStack() as stack,
    ):
        feed = _Feed(frames)
        numbers = range(task.position, sys.maxsize)
        masks = enumerate(segment(feed, task.labels, numbers), task.position)
        results = ((index, feed.take(), ids) for index, ids in masks)
        if task.position:
            numbers = range(task.position, -1, -1)
            backwards = segment(map(read, numbers), task.earlier, numbers)
            where = task.position, read, task.frames.size, output.root
            before = turned_round(backwards, *where, progress.advance)
            results = itertools.chain(stack.enter_context(contextlib.closing(before)), results)
        try:
            for index, frame, ids in results:
                write.frame(task.frames.name(index), frame, ids)
                if task.truth is not None:
                    to_score.append(ids)
                num_finished += 1
                if index >= task.position:
                    progress.advance()
        except (*STOPS, ValueError, OSError) as error:
            is_input = error is feed.failure or isinstance(error, DamagedSample)
            if num_finished == 0 or not (is_input or isinstance(error, STOPS)):
                raise
            failure = error
    if failure is not None:  # only now, when everything about the finished frames is written
        finished = f"finished in {output.root}: {_count(num_finished, 'frame')}"
        if isinstance(failure, STOPS):
            say(finished)
            raise failure
        raise ValueError(f"{failure}; {finished}") from failure
    return VideoReport(
        num_frames=num_finished,
        num_objects=task.num_objects or task.num_given,
        seconds=time.perf_counter() - start,
        compilation_seconds=compilation.seconds,
        memory=peak_memory(),
        scores=None if task.truth is None else score_clip(task.truth, to_score),
    )


def score_clip(truth: Callable[[int], np.ndarray], masks: Sequence[np.ndarray]) -> ObjectScores:
    """Scores a clip of at least 3 frames as DAVIS 2017; ids of no object count as background."""
    counted = dict.fromkeys(range(1, int(truth(0).max()) + 1), range(1, len(masks) - 1))
    files = SequenceMasks(truth, masks.__getitem__)
    rows = score_objects("clip", files, counted, ScoringOptions(), knows_others=True)
    return mean_scores(row.scores for row in rows)


def score_demonstration(model: MAVOS, variables: Variables) -> ObjectScores:
    """Segments the generated clip and scores the masks."""
    clip = DEMONSTRATION
    return score_clip(clip.mask, [*stream_masks(model, variables, clip.frames, clip.mask(0))])


def in_percent(scores: ObjectScores) -> dict[str, float]:
    """Returns J, F and J&F by these names, in percent with one decimal as papers print them."""
    values = {"J": scores.region.mean, "F": scores.boundary.mean, "J&F": scores.mean}
    return {name: round(100 * value, 1) for name, value in values.items()}


class _Feed:
    """Frames on their way into the network, kept until their masks come out of it."""

    def __init__(self, frames: Iterable[np.ndarray]):
        self._frames = frames
        self._waiting: collections.deque[np.ndarray] = collections.deque()
        self.failure: Exception | None = None  # what kept the next frame from being decoded

    def __iter__(self) -> Iterator[np.ndarray]:
        try:
            for frame in self._frames:
                self._waiting.append(frame)
                yield frame
        except (ValueError, OSError) as error:
            self.failure = error
            raise

    def take(self) -> np.ndarray:
        """The oldest frame that has not been taken."""
        return self._waiting.popleft()


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
