"""One video to be segmented: its frames, and the masks to start from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from mavos_jax.config import MAX_ID
from mavos_jax.generated.video import SyntheticVideo
from mavos_jax.media.frames import FrameSource
from mavos_jax.media.ids import explain_fullness, object_ids
from mavos_jax.media.masks import read_mask
from mavos_jax.media.pictures import Size, describe_size, read_header
from mavos_jax.media.sequence import AnnotationUse, LaterMasks, open_sequence

DEMONSTRATION = SyntheticVideo(seed=0, num_frames=24, height=192, width=192, num_objects=3)
"""The generated clip that shows what weights do, with known truth."""


@dataclasses.dataclass(frozen=True)
class VideoTask:
    """A video and the masks to start from, checked without decoding all of it.

    Attributes:
      frames: the frames, from that of ``mask`` on.
      mask: ids of the first frame's objects, uint8 [H, W].
      labels: masks of new or corrected objects, by frame index.
      palette: the mask's own colours, uint8 [256, 3], or None.
      num_objects: ``None`` numbers objects in order of appearance; a number says that the ids are
        1..num_objects and that all of them are in play from the start, seen or not.
      num_given: number of objects in the masks.
      num_skipped: number of frames before the first mask, left out.
      notes: what the user should know: what was chosen, done to the frames or left out.
      truth: gives the true ids of a frame, uint8 [H, W], by its index; None where unknown.
    """

    frames: FrameSource
    mask: np.ndarray
    labels: Mapping[int, np.ndarray]
    palette: np.ndarray | None
    num_objects: int | None
    num_given: int
    num_skipped: int = 0
    inputs: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()
    truth: Callable[[int], np.ndarray] | None = None

    @classmethod
    def open(
        cls,
        video: Path,
        mask: Path | None,
        num_objects: int | None = None,
        *,
        start: str | None = None,
        annotations: AnnotationUse = "auto",
    ) -> VideoTask:
        """Opens what :func:`~mavos_jax.media.sequence.open_sequence` opens, and checks its masks.

        Args:
          mask: the mask to start from; by default the first annotation that shows an object.
          start: name or number of its frame; by default that of the same name, or else the first.
          annotations: what later annotations are for.
        """
        sequence = open_sequence(video, mask, start)
        first = sequence.annotations.get(0)
        if first is None:
            raise ValueError(
                f"{video}: expected --mask FILE with the objects of the first frame, found none, "
                "and no masks in a folder Annotations beside JPEGImages"
            )
        frames = sequence.frames
        notes = (*getattr(frames, "notes", ()), *sequence.notes)
        _require_mask_apart(first, frames)
        _require_shown_size(first, frames.size, notes)
        ids, palette = read_mask(first, frames.size)
        if odd := explain_fullness(ids):
            notes = (*notes, f"{first}: {odd}")
        known = object_ids(ids)
        late = {index: file for index, file in sequence.annotations.items() if index > 0}
        is_truth = annotations == "auto" and len(sequence.annotations) == frames.num_frames
        corrects = annotations == "all" or (annotations == "auto" and not is_truth)
        labels = LaterMasks(late, frames.size, known, corrects=corrects)
        if late:
            is_passed_over = is_truth and labels.corrections
            reason = "every frame has one, as sets of known truth have; --annotations all corrects"
            notes = (*notes, f"{labels}{f' ({reason})' if is_passed_over else ''}")
        if num_objects is not None:
            _require_ids_up_to(num_objects, first, known)
            for index, new_ids in labels.new_ids.items():
                _require_ids_up_to(num_objects, late[index], new_ids)
        return cls(
            frames,
            ids,
            labels,
            palette,
            num_objects,
            num_given=len(known) + sum(map(len, labels.new_ids.values())),
            num_skipped=sequence.num_skipped,
            inputs=(Path(frames.origin), *sequence.annotations.values()),
            notes=notes,
        )

    @classmethod
    def demonstration(cls, num_objects: int | None = None) -> VideoTask:
        """The generated clip, its first mask, and the truth."""
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


def _require_mask_apart(mask: Path, frames: FrameSource) -> None:
    folder = Path(frames.origin)
    if mask.exists() and folder.is_dir() and mask.resolve().parent == folder.resolve():
        raise ValueError(
            f"{mask}: expected the mask outside the folder of frames, found it among them, where "
            "it counts as a frame; move it"
        )


def _require_shown_size(mask: Path, size: Size, notes: tuple[str, ...]) -> None:
    """Raises for a mask of the frames as stored where they are shown turned, or the other way."""
    turned = next((note for note in notes if note.startswith("video: ")), None)
    if turned and read_header(mask, "a mask").size == size[::-1] != size:
        raise ValueError(
            f"{mask}: expected a mask of {describe_size(size)} as the video is shown, found height "
            f"and width swapped; draw it on the picture that players show ({turned})"
        )


def _require_ids_up_to(num_objects: int, origin: object, ids: tuple[int, ...] | range) -> None:
    if not 1 <= num_objects <= MAX_ID:
        raise ValueError(f"--num_objects: expected 1 to {MAX_ID}, found {num_objects}")
    if max(ids) > num_objects:
        raise ValueError(
            f"{origin}: expected ids up to {num_objects} as --num_objects says, found {max(ids)}; "
            "give a larger --num_objects, or none"
        )
