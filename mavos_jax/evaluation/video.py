"""Segments one video into a folder of masks: checked first, streamed, written behind."""

from __future__ import annotations

import collections
import dataclasses
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import tqdm

from mavos_jax.config import MAX_ID
from mavos_jax.evaluation.demonstration import DEMONSTRATION, Truth, TruthScorer
from mavos_jax.evaluation.metrics import ObjectScores
from mavos_jax.evaluation.output import OutputFolder
from mavos_jax.inference.geometry import Augmentation
from mavos_jax.inference.video import stream_masks
from mavos_jax.media.frames import FrameSource
from mavos_jax.media.masks import NewObjects, object_ids, read_mask
from mavos_jax.media.sequence import open_sequence
from mavos_jax.models.mavos import MAVOS, Variables
from mavos_jax.runtime.devices import CompilationClock, peak_memory


@dataclasses.dataclass(frozen=True)
class VideoTask:
    """A video and the masks to start from, checked as far as that goes without decoding it all.

    Attributes:
      frames: the frames, from the one of ``mask`` on.
      mask: ids of the first frame's objects, uint8 [H, W].
      labels: masks of objects that appear later, by frame index.
      palette: the mask's own colours, uint8 [256, 3], or None.
      num_objects: ``None`` numbers objects in order of appearance; a number says that the ids are
        1..num_objects and that all of them are in play from the start, seen or not.
      num_given: objects that the masks show.
      num_skipped: frames of the video before the first mask, left out.
      inputs: the files and folders that it is read from.
      truth: the true masks, or None where they are not known.
    """

    frames: FrameSource
    mask: np.ndarray
    labels: Mapping[int, np.ndarray]
    palette: np.ndarray | None
    num_objects: int | None
    num_given: int
    num_skipped: int = 0
    inputs: tuple[Path, ...] = ()
    truth: Truth | None = None

    @classmethod
    def open(cls, video: Path, mask: Path | None, num_objects: int | None = None) -> VideoTask:
        """Opens a video and its masks.

        Args:
          video: what :func:`~mavos_jax.media.sequence.open_sequence` opens.
          mask: the mask to start from, of the video's first frame or, in ``Annotations``, of the
            frame of the same name; by default the first annotation.
          num_objects: see the attribute.

        Raises:
          ValueError: the video or a mask cannot be used; the message names the file and the fix.
        """
        sequence = open_sequence(video, mask)
        first = sequence.annotations.get(0)
        if first is None:
            raise ValueError(
                f"{video}: expected --mask FILE with the objects of the first frame, got none, and "
                "found no masks in a folder Annotations beside JPEGImages"
            )
        frames = sequence.frames
        _require_mask_apart(first, frames)
        ids, palette = read_mask(first, frames.size)
        known = object_ids(ids)
        late = {index: file for index, file in sequence.annotations.items() if index > 0}
        labels = NewObjects(late, frames.size, known)
        if num_objects is not None:
            _require_ids_up_to(num_objects, first, known)
            for index, new_ids in labels.new_ids.items():
                _require_ids_up_to(num_objects, late[index], new_ids)
        num_given = len(known) + sum(map(len, labels.new_ids.values()))
        inputs = (Path(frames.origin), *sequence.annotations.values())
        return cls(
            frames, ids, labels, palette, num_objects, num_given, sequence.num_skipped, inputs
        )

    @classmethod
    def demonstration(cls, num_objects: int | None = None) -> VideoTask:
        """A generated clip, its first mask, and the truth."""
        video = DEMONSTRATION
        if num_objects is not None:
            _require_ids_up_to(num_objects, video.frames.origin, range(1, video.num_objects + 1))
        mask, num_given = video.mask(0), video.num_objects
        return cls(video.frames, mask, {}, None, num_objects, num_given, truth=video.mask)

    def __str__(self) -> str:
        number, first = self.frames.num_frames, self.frames.name(0)
        skipped = f" from {first} on, {self.num_skipped} skipped" if self.num_skipped else ""
        num_first = len(object_ids(self.mask))
        num_late = self.num_given - num_first
        late = f" ({num_first} at {first}, {num_late} later)" if num_late else ""
        return (
            f"frames: {'unknown' if number is None else number}{skipped}; "
            f"objects: {self.num_given}{late}"
        )


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
            f"({self.num_frames / running:.2f} without compilation), "
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
    does not grow with the video. A terminal shows progress.

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
        tqdm.tqdm(total=task.frames.num_frames, unit="frame", disable=None) as progress,
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
                progress.update()
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


def _require_mask_apart(mask: Path, frames: FrameSource) -> None:
    folder = Path(frames.origin)
    if mask.exists() and folder.is_dir() and mask.resolve().parent == folder.resolve():
        raise ValueError(
            f"{mask}: expected the mask outside the folder of frames, found it among them, where "
            "it counts as a frame; move it"
        )


def _require_ids_up_to(num_objects: int, origin: object, ids: tuple[int, ...] | range) -> None:
    if not 1 <= num_objects <= MAX_ID:
        raise ValueError(f"--num-objects: expected 1 to {MAX_ID}, got {num_objects}")
    if max(ids) > num_objects:
        raise ValueError(
            f"{origin}: expected ids up to {num_objects} as --num-objects says, found {max(ids)}; "
            "give a larger --num-objects, or none"
        )
