"""Segments one video into a folder of masks: checked first, streamed, written behind."""

from __future__ import annotations

import collections
import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from mavos_jax.datasets.protocol import ScoringRule, SequenceMasks, score_objects
from mavos_jax.evaluation.output import OutputFolder
from mavos_jax.evaluation.video_task import DEMONSTRATION, VideoTask
from mavos_jax.inference.geometry import Augmentation
from mavos_jax.inference.video import stream_masks
from mavos_jax.media.frames import FrameSource
from mavos_jax.models.mavos import MAVOS, Variables
from mavos_jax.runtime.compilation import CompilationClock
from mavos_jax.runtime.devices import peak_memory
from mavos_jax.runtime.progress import Progress, say
from mavos_jax.scores.metrics import ObjectScores, mean_scores


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
) -> VideoReport:
    """Segments a video and writes a mask for every frame as it goes, showing progress.

    Frames are decoded as the network needs them and masks are written behind it, so that memory
    does not grow with the video; only a task whose truth is known keeps its masks to score them.
    If a frame cannot be decoded, a ``ValueError`` says so; the masks before it are complete.
    """
    feed = _Feed(task.frames)
    to_score: list[np.ndarray] = []
    num_finished, start = 0, time.perf_counter()
    with (
        CompilationClock() as compilation,
        output.writer(task.frames, task.palette) as write,
        Progress(task.frames.num_frames, "segmenting") as progress,
    ):
        masks = stream_masks(
            *(model, variables, feed, task.mask),
            labels=task.labels,
            num_objects=task.num_objects,
            augmentation=augmentation,
        )
        try:
            for index, ids in enumerate(masks):
                write(task.frames.name(index), feed.take(), ids)
                if task.truth is not None:
                    to_score.append(ids)
                num_finished += 1
                progress.advance()
        except KeyboardInterrupt:
            say(f"finished in {output.root}: {_count(num_finished, 'frame')}")
            raise
        except (ValueError, OSError) as error:
            if error is not feed.failure or num_finished == 0:
                raise
            raise ValueError(
                f"{error}; finished in {output.root}: {_count(num_finished, 'frame')}"
            ) from error
    return VideoReport(
        num_frames=num_finished,
        num_objects=task.num_objects or task.num_given,
        seconds=time.perf_counter() - start,
        compilation_seconds=compilation.seconds,
        memory=peak_memory(),
        scores=None if task.truth is None else score_clip(task.truth, to_score),
    )


def score_clip(truth: Callable[[int], np.ndarray], masks: Sequence[np.ndarray]) -> ObjectScores:
    """Scores a clip of at least 3 frames by the rules of DAVIS 2017: the means over its objects.

    The objects are those of the first true mask; the first and the last frame do not count.
    Predicted ids, uint8 [H, W], that no object has count as background.
    """
    counted = dict.fromkeys(range(1, int(truth(0).max()) + 1), range(1, len(masks) - 1))
    files = SequenceMasks(truth, masks.__getitem__)
    rows = score_objects("clip", files, counted, ScoringRule(), knows_others=True)
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

    def __init__(self, frames: FrameSource):
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
        """The oldest frame that was not taken yet."""
        return self._waiting.popleft()


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
