"""Starts the compiled programs one after the other and hands their results out in order."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

import jax
import numpy as np

from mavos_jax.inference.arguments import check_frames, check_labels, fitting_variables
from mavos_jax.inference.geometry import (
    Augmentation,
    Geometry,
    Sizes,
    geometries,
)
from mavos_jax.inference.growth import Writes, grow_states, with_room
from mavos_jax.inference.objects import ObjectIds, num_groups, num_identities
from mavos_jax.inference.programs import (
    MERGED_STEP,
    LogitsForm,
    States,
    label_frame,
    segment_chunk,
    start_video,
)
from mavos_jax.inference.source import FrameSource, check_mask, first_slots, pad_masks
from mavos_jax.models.mavos import MAVOS, Variables
from mavos_jax.models.prepare import prepare_variables
from mavos_jax.models.resize import nearest_indices
from mavos_jax.runtime.devices import in_32_bits

Labels = Mapping[int, np.ndarray]
"""Masks of new or corrected objects, by frame."""

_Inputs = TypeVar("_Inputs", bound=tuple)

Masks = Sequence[np.ndarray] | np.ndarray


class Options(NamedTuple):
    """What the drivers ask of :func:`run`, as the public functions describe it.

    Attributes:
      labels: masks of new or corrected objects by frame.
      num_objects: see ``segment_video``.
      gap: frames between two long-term writes.
      memorise_with: see ``segment_video``.
      chunk_frames: frames that one program takes.
      looks_ahead: whether frames may be pulled before the masks of earlier ones are out.
      logits_form: which logits to return.
      augmentation: the views whose mean decides.
      output_size: of the masks, in pixels; None for the frames' own.
      on_frame: called with the number of each frame and the seconds that its computation took once
        the frame was on the device; needs chunks of one frame.
    """

    labels: Labels
    num_objects: int | None
    gap: int
    memorise_with: Masks | None
    chunk_frames: int
    looks_ahead: bool
    logits_form: LogitsForm = "none"
    augmentation: Augmentation = Augmentation()
    output_size: tuple[int, int] | None = None
    on_frame: Callable[[int, float], None] | None = None


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
    yield video.start(mask), None
    pending, error, chunks = None, None, video.chunks()
    while error is None:
        try:
            following = next(chunks, None)
        except Exception as caught:  # raised below, once finished work is out
            following, error = None, caught
        if pending is not None:
            yield from video.fetch(pending)
        if following is None:
            break
        pending = following
        if not options.looks_ahead:
            yield from video.fetch(pending)
            pending = None
    if error is not None:
        raise error


class _Video:
    """A video on its way through the compiled programs.

    Attributes:
      ids: the objects known so far.
    """

    @in_32_bits
    def __init__(
        self,
        model: MAVOS,
        variables: Variables,
        frames: Iterable[np.ndarray],
        options: Options,
    ) -> None:
        check_frames(frames)
        check_labels(options.labels)
        self.ids = ObjectIds(options.num_objects)
        self._memory = model.config.memory
        self._writes = Writes()
        self._model = with_room(model, self._memory, self._writes)
        self._variables = jax.device_put(prepare_variables(model, variables))
        self._options = options
        self._source = FrameSource(iter(frames), options.labels)
        self._states: States = ()
        self._geometries: tuple[Geometry, ...] = ()
        self._sizes = Sizes((0, 0), (0, 0))
        self._programs: set[tuple[object, ...]] = set()

    @fitting_variables()
    @in_32_bits
    def start(self, mask: np.ndarray) -> np.ndarray:
        """Starts the computation of frame 0; returns its ids at the size of the output."""
        frames, _ = self._source.pull(1)
        size = self._source.size
        self._sizes = Sizes(size, self._options.output_size or size)
        slots = first_slots(self.ids, mask, size, "mask")
        views = geometries(self._model.config, self._sizes, self._options.augmentation)
        self._geometries = jax.device_put(views)
        with self._timed(0, (frames[0], pad_masks([slots])[0])) as inputs:
            self._states = start_video(
                *(self._model, self._variables, self._geometries, *inputs),
                groups=num_groups(self.ids.num_objects),
                identities=num_identities(self.ids.num_objects),
            )
        rows, columns = (
            nearest_indices(*pair) for pair in zip(size, self._sizes.output, strict=True)
        )
        return np.asarray(mask).astype(np.uint8)[rows][:, columns]

    def fetch(self, pending: _Pending) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """Waits for dispatched frames; yields the ids and logits of each without padding."""
        height, width = self._sizes.output
        slots, logits = np.asarray(pending.slots), None
        if pending.logits is not None:
            logits = np.asarray(pending.logits)
            if self._options.logits_form == "merged":
                logits = logits[:, : -(-height // MERGED_STEP), : -(-width // MERGED_STEP)]
        for i in range(pending.num_frames):
            ids = self.ids.to_ids(slots[i, :height, :width])
            yield ids, None if logits is None else logits[i]

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

    @in_32_bits
    def _segment(self, position: int, frames: np.ndarray, count: int) -> _Pending:
        num_objects = self.ids.num_objects
        self._make_room(self._writes.after_frames(count, self._options.gap))
        self._wait_for_new("segment", num_groups(num_objects), num_identities(num_objects))
        scalars = (np.int32(count), np.int32(num_objects), np.int32(self._options.gap))
        given = self._to_memorise(position, count, len(frames))
        with self._timed(position, (frames, given, scalars)) as inputs:
            self._states, (slots, logits) = segment_chunk(
                *(self._model, self._variables, self._geometries, self._states, *inputs),
                identities=num_identities(num_objects),
                logits_form=self._options.logits_form,
            )
        slots.copy_to_host_async()  # as soon as they are there, not when they are asked for
        return _Pending(count, slots, logits)

    @in_32_bits
    def _label(self, position: int, frame: np.ndarray) -> _Pending:
        before = self.ids.num_objects
        label = self._take_up(position)
        self._make_room(self._writes.after_reference())
        given = self._to_memorise(position, 1, 1)
        groups = num_groups(self.ids.num_objects)
        identities = (num_identities(before), num_identities(self.ids.num_objects))
        self._wait_for_new("label", num_groups(before), groups, identities)
        masks = (label, None if given is None else given[0])
        with self._timed(position, (frame, masks, np.int32(before))) as inputs:
            self._states, (slots, logits) = label_frame(
                *(self._model, self._variables, self._geometries, self._states, *inputs),
                groups=groups,
                identities=identities,
                logits_form=self._options.logits_form,
            )
        return _Pending(1, slots[None], None if logits is None else logits[None])

    @contextlib.contextmanager
    def _timed(self, position: int, inputs: _Inputs) -> Iterator[_Inputs]:
        """Times the block, if somebody wants to know, with its inputs on the device before."""
        report = self._options.on_frame
        if report is None:
            yield inputs
            return
        inputs = jax.block_until_ready(jax.device_put(inputs))
        jax.block_until_ready(self._states)
        start = time.perf_counter()
        yield inputs
        jax.block_until_ready(self._states)
        report(position, time.perf_counter() - start)

    def _make_room(self, writes: Writes) -> None:
        """Lets the memory grow, if it does, before the program that fills it."""
        self._writes = writes
        model = with_room(self._model, self._memory, writes)
        if model is not self._model:
            self._model = model
            self._states = grow_states(self._states, config=model.config.memory)
            self._programs.clear()

    def _wait_for_new(self, *program: object) -> None:
        """Lets the device finish before a program that may have to be compiled first.

        On a CPU the two would take each other's cores, and whoever times them could not tell
        computing from compiling.
        """
        if program not in self._programs:
            jax.block_until_ready(self._states)
            self._programs.add(program)

    def _take_up(self, position: int) -> np.ndarray:
        """Returns the slots of a frame's label, padded, and takes up its new ids."""
        name = f"labels[{position}]"
        label = check_mask(self._options.labels[position], self._sizes.output, name)
        return pad_masks([self.ids.add(label, name)])[0]

    def _to_memorise(self, position: int, count: int, length: int) -> np.ndarray | None:
        """Returns the given slots [length, H, W] of ``count`` frames, padded, zero beyond them."""
        given = self._options.memorise_with
        if given is None:
            return None
        slots = []
        for t in range(position, position + count):
            name = f"memorise_with[{t}]"
            if t >= len(given):
                raise ValueError(f"{name}: expected a mask for every frame, got none")
            slots.append(self.ids.to_slots(check_mask(given[t], self._sizes.output, name), name))
        return pad_masks(slots, length)
