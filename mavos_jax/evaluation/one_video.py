"""Segments one video into a folder of masks: checked first, streamed, written behind."""

from __future__ import annotations

import collections
import dataclasses
import time
from collections.abc import Iterator

import numpy as np

from mavos_jax.evaluation.demonstration import TruthScorer
from mavos_jax.evaluation.output import OutputFolder
from mavos_jax.evaluation.video_task import VideoTask
from mavos_jax.inference.geometry import Augmentation
from mavos_jax.inference.video import stream_masks
from mavos_jax.media.frames import FrameSource
from mavos_jax.models.mavos import MAVOS, Variables
from mavos_jax.runtime.compilation import CompilationClock
from mavos_jax.runtime.devices import peak_memory
from mavos_jax.runtime.progress import Progress, say
from mavos_jax.scores.metrics import ObjectScores


@dataclasses.dataclass(frozen=True)
class VideoReport:
    """What segmenting a video took, from reading its files to the written masks.

    Attributes:
      num_frames: frames segmented, the first included.
      num_objects: objects that were in play in the end.
      seconds: by the clock on the wall.
      compilation_seconds: of these, spent on compilation.
      memory: what was measured of memory, and its peak in bytes.
      scores: the means over objects by the rules of DAVIS 2017, if the truth is known.
    """

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
    """Segments a video and writes a mask for every frame while it goes on.

    Frames are decoded as the network needs them and masks are written behind it, so that memory
    does not grow with the video. Progress is shown.

    Args:
      model: from ``load`` or ``build_model``.
      variables: the model's variables.
      task: the video and its masks.
      output: where the results go.
      augmentation: the views of every frame whose mean decides.

    Raises:
      ValueError: a frame could not be decoded; the masks of the frames before it are complete.
      OSError: a file could not be written.
    """
    feed = _Feed(task.frames)
    scorer = None if task.truth is None else TruthScorer(task.truth)
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
                if scorer is not None:
                    scorer.add(ids)
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
    seconds = time.perf_counter() - start
    num_objects = task.num_objects or task.num_given
    scores = None if scorer is None else scorer.scores()
    return VideoReport(
        num_finished, num_objects, seconds, compilation.seconds, peak_memory(), scores
    )


class _Feed:
    """Frames on their way into the network, kept until their masks come out of it.

    Attributes:
      failure: what kept the next frame from being decoded, if anything did.
    """

    def __init__(self, frames: FrameSource):
        self._frames = frames
        self._waiting: collections.deque[np.ndarray] = collections.deque()
        self.failure: Exception | None = None

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
