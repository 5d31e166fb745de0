"""Starts the compiled programs one after the other and hands their results out in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import jax
import numpy as np

from mavos_jax.inference.chunk import LogitsForm, label_frame, segment_chunk, start_video
from mavos_jax.inference.frame import VideoState
from mavos_jax.inference.objects import IGNORED, ObjectIds, num_groups, num_identities
from mavos_jax.inference.source import FrameSource, check_mask
from mavos_jax.models.mavos import MAVOS, Variables

Labels = Mapping[int, np.ndarray]
"""Masks of objects that appear later, by frame."""

Masks = Sequence[np.ndarray] | np.ndarray


class Options(NamedTuple):
    """What the drivers ask of :func:`run`, as the public functions describe it.

    Attributes:
      labels: masks of later objects by frame.
      num_objects: see ``segment_video``.
      gap: frames between two long-term writes.
      memorise_with: see ``segment_video``.
      chunk_frames: frames that one program takes.
      looks_ahead: whether frames may be pulled before the masks of earlier ones are out.
      logits_form: which logits to return.
    """

    labels: Labels
    num_objects: int | None
    gap: int
    memorise_with: Masks | None
    chunk_frames: int
    looks_ahead: bool
    logits_form: LogitsForm


class _Pending(NamedTuple):
    """Frames whose computation has been dispatched: slots [t, H, W] and logits on the device."""

    num_frames: int
    slots: jax.Array
    logits: jax.Array | None


def run(
    model: MAVOS,
    variables: Variables,
    frames: Iterable[np.ndarray],
    mask: np.ndarray,
    options: Options,
) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """Yields every frame's ids and logits, one chunk behind the device if it may look ahead.

    When the frames raise, what was computed of the frames before comes first.

    Raises:
      ValueError: the frames, the mask or an option is not as described.
    """
    video = _Video(model, variables, frames, options)
    video.start(mask)
    yield np.asarray(mask).astype(np.uint8), None
    pending, error, chunks = None, None, video.chunks()
    while error is None:
        try:
            following = next(chunks, None)
        except Exception as caught:  # raised below, once finished work is out
            following, error = None, caught
        if pending is not None:
            yield from _fetch(pending, video.ids)
        if following is None:
            break
        pending = following
        if not options.looks_ahead:
            yield from _fetch(pending, video.ids)
            pending = None
    if error is not None:
        raise error


def _fetch(pending: _Pending, ids: ObjectIds) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    slots = np.asarray(pending.slots)
    logits = None if pending.logits is None else np.asarray(pending.logits)
    for i in range(pending.num_frames):
        yield ids.to_ids(slots[i]), None if logits is None else logits[i]


class _Video:
    """A video on its way through the compiled programs.

    Attributes:
      ids: the objects known so far.
    """

    def __init__(
        self,
        model: MAVOS,
        variables: Variables,
        frames: Iterable[np.ndarray],
        options: Options,
    ) -> None:
        self.ids = ObjectIds(options.num_objects)
        self._model = model
        self._variables = jax.device_put(variables)
        self._options = options
        self._source = FrameSource(iter(frames), options.labels)
        self._state: VideoState | None = None
        self._size = (0, 0)
        self._programs: set[tuple[object, ...]] = set()

    def start(self, mask: np.ndarray) -> None:
        """Starts the computation of frame 0."""
        frames, _ = self._source.pull(1)
        self._size = frames.shape[1:3]
        slots = self._take_up(mask, "mask")
        if not ((slots != 0) & (slots != IGNORED)).any():
            raise ValueError("mask: expected at least one object, got background alone")
        self._state = start_video(
            self._model,
            self._variables,
            frames[0],
            slots,
            groups=num_groups(self.ids.num_objects),
            identities=num_identities(self.ids.num_objects),
        )

    def chunks(self) -> Iterator[_Pending]:
        """Starts the computation of one chunk after the other."""
        while not self._source.is_exhausted:
            position = self._source.position
            is_labelled = position in self._options.labels
            frames, count = self._source.pull(1 if is_labelled else self._options.chunk_frames)
            if count and is_labelled:
                yield self._label(position, frames[0])
            elif count:
                yield self._segment(position, frames, count)
        self._source.raise_error()

    def _segment(self, position: int, frames: np.ndarray, count: int) -> _Pending:
        num_objects = self.ids.num_objects
        self._wait_for_new("segment", num_groups(num_objects), num_identities(num_objects))
        scalars = (np.int32(count), np.int32(num_objects), np.int32(self._options.gap))
        self._state, (slots, logits) = segment_chunk(
            self._model,
            self._variables,
            self._state,
            frames,
            self._to_memorise(position, count, len(frames)),
            scalars,
            identities=num_identities(num_objects),
            logits_form=self._options.logits_form,
        )
        return _Pending(count, slots, logits)

    def _label(self, position: int, frame: np.ndarray) -> _Pending:
        before = self.ids.num_objects
        label = self._take_up(self._options.labels[position], f"labels[{position}]")
        given = self._to_memorise(position, 1, 1)
        identities = (num_identities(before), num_identities(self.ids.num_objects))
        self._wait_for_new(
            "label", num_groups(before), num_groups(self.ids.num_objects), identities
        )
        self._state, (slots, logits) = label_frame(
            self._model,
            self._variables,
            self._state,
            frame,
            (label, None if given is None else given[0]),
            np.int32(before),
            groups=num_groups(self.ids.num_objects),
            identities=identities,
            logits_form=self._options.logits_form,
        )
        return _Pending(1, slots[None], None if logits is None else logits[None])

    def _wait_for_new(self, *program: object) -> None:
        """Lets the device finish before a program that may have to be compiled first.

        On a CPU the two would take each other's cores, and whoever times them could not tell
        computing from compiling.
        """
        if program not in self._programs:
            jax.block_until_ready(self._state)
            self._programs.add(program)

    def _take_up(self, mask: np.ndarray, name: str) -> np.ndarray:
        return self.ids.add(check_mask(mask, self._size, name), name)

    def _to_memorise(self, position: int, count: int, length: int) -> np.ndarray | None:
        """Returns the given slots [length, H, W] of ``count`` frames, zero beyond them."""
        if self._options.memorise_with is None:
            return None
        slots = np.zeros((length, *self._size), np.uint8)
        for i in range(count):
            name = f"memorise_with[{position + i}]"
            if position + i >= len(self._options.memorise_with):
                raise ValueError(f"{name}: expected a mask for every frame, got none")
            mask = check_mask(self._options.memorise_with[position + i], self._size, name)
            slots[i] = self.ids.to_slots(mask, name)
        return slots
