"""Starts the compiled programs one after the other and hands their results out in order."""

import contextlib
import dataclasses
import functools
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mavos_jax.config import MemoryConfig
from mavos_jax.inference.frame import VideoState
from mavos_jax.inference.geometry import Augmentation, geometries, padded_size
from mavos_jax.inference.objects import num_groups, num_identities
from mavos_jax.inference.outputs import (
    MERGED_STEP,
    Confidence,
    Judged,
    LogitsForm,
    given_judged,
    judged,
)
from mavos_jax.inference.programs import label_frames, segment_chunks, start_videos
from mavos_jax.inference.source import Source, Video, fitting_variables
from mavos_jax.models.mavos import MAVOS, Variables
from mavos_jax.models.memory import grow_memory, with_room_for
from mavos_jax.models.prepare import prepare_variables
from mavos_jax.runtime.devices import in_32_bits

Found = np.ndarray | Judged | None
Result = tuple[np.ndarray, Found]  # the ids of a frame, and what is asked for of its logits


class Options(NamedTuple):
    """How :func:`run` goes through the videos.

    If it ``looks_ahead``, frames are pulled before the masks of earlier ones are out. ``on_frame``
    gets the number of each frame and the seconds that it took once it was on the device; it needs
    chunks of one frame.
    """

    gap: int
    chunk_frames: int
    looks_ahead: bool = True
    logits_form: LogitsForm = "none"
    augmentation: Augmentation = Augmentation()
    on_frame: Callable[[int, float], None] | None = None


def run(
    model: MAVOS, variables: Variables, videos: Sequence[Video], options: Options
) -> Iterator[tuple[Result | None, ...]]:
    """Segments videos in step; yields for every frame the result of each that has not ended.

    Only a single video may have labels. When frames raise, all that was computed before comes
    first.
    """
    driver = _Driver(model, variables, videos, options)
    yield driver.first()
    started: list[_Pending] = []
    for chunk in driver.chunks():
        started.append(chunk)
        # Looking ahead, the next chunk is on its way before one's masks are waited for.
        while len(started) > int(options.looks_ahead):
            yield from driver.fetch(started.pop(0))
    for chunk in started:
        yield from driver.fetch(chunk)
    driver.raise_error()


class _Pending(NamedTuple):
    """A dispatched chunk: frames and ids of each video, slots [b, t, H, W] and logits on device."""

    counts: list[int]
    known: list[np.ndarray]
    slots: jax.Array
    logits: jax.Array | Confidence | None


class _Driver:
    """Videos on their way through the compiled programs; they share the position of frames."""

    @fitting_variables()
    @in_32_bits
    def __init__(
        self, model: MAVOS, variables: Variables, videos: Sequence[Video], options: Options
    ) -> None:
        """Starts the computation of the first frames."""
        self._sources = [Source(video) for video in videos]
        first = [source.start(self._sources[0]) for source in self._sources]
        frames, slots = (np.stack(arrays) for arrays in zip(*first, strict=True))
        self._sizes = self._sources[0].sizes
        self._options = options
        self._error: Exception | None = None
        self._compiled: set[tuple[object, ...]] = set()
        self._capacity = model.config.memory
        self._num_writes = self._since_write = 0
        self._model = _with_room(model, self._capacity, num_frames=1)
        self._variables = jax.device_put(prepare_variables(model, variables))
        views = geometries(model.config, self._sizes, options.augmentation)
        self._geometries = jax.device_put(views)
        self._state = VideoState((), jnp.int32(0))
        with self._timed(frames, slots) as inputs:
            self._state = start_videos(
                *(self._model, self._variables, self._geometries, *inputs),
                groups=num_groups(self._most_objects),
                identities=num_identities(self._most_objects),
            )

    def first(self) -> tuple[Result, ...]:
        """Returns the given masks at the size of the output."""
        masks = [source.first_ids() for source in self._sources]
        form = self._options.logits_form
        if form not in ("confidence", "soft"):
            return tuple((mask, None) for mask in masks)
        return tuple((mask, given_judged(mask, with_soft=form == "soft")) for mask in masks)

    def chunks(self) -> Iterator[_Pending]:
        """Starts the computation of one chunk after the other; keeps an error for the end."""
        labels = self._sources[0].labels
        try:
            while not all(source.is_exhausted for source in self._sources):
                is_labelled = self._position in labels
                length = 1 if is_labelled else self._options.chunk_frames
                size = padded_size(self._sizes.frame)
                frames = np.zeros((len(self._sources), length, *size, 3), np.uint8)
                counts = [x.pull(chunk) for x, chunk in zip(self._sources, frames, strict=True)]
                if any(counts):
                    start = self._label if is_labelled else self._segment
                    yield start(frames, counts)
        except Exception as error:  # raised once finished work is out
            self._error = error

    def fetch(self, pending: _Pending) -> Iterator[tuple[Result | None, ...]]:
        """Waits for a chunk; yields the ids and logits of each of its frames without padding."""
        height, width = self._sizes.output
        slots = np.asarray(pending.slots)[..., :height, :width]
        logits: Any = jax.device_get(pending.logits)
        if self._options.logits_form == "merged":
            rows, columns = -(-height // MERGED_STEP), -(-width // MERGED_STEP)
            logits = logits[..., :rows, :columns, :]
        if self._options.logits_form == "soft":
            logits = logits._replace(soft=logits.soft[..., :height, :width, :])

        def result(video: int, t: int) -> Result:
            ids = self._sources[video].ids.to_ids(slots[video, t])
            found = jax.tree.map(lambda x: x[video, t], logits)
            if isinstance(found, Confidence):
                found = judged(pending.known[video], found)
            return ids, found

        for t in range(max(pending.counts)):
            yield tuple(
                result(video, t) if t < count else None
                for video, count in enumerate(pending.counts)
            )

    def raise_error(self) -> None:
        """Raises what ended the videos, unless they simply ended."""
        if self._error is not None:
            raise self._error
        for source in self._sources:
            source.raise_error()

    @property
    def _position(self) -> int:
        return max(source.position for source in self._sources)

    @property
    def _most_objects(self) -> int:
        return max(source.ids.num_objects for source in self._sources)

    @in_32_bits
    def _segment(self, frames: np.ndarray, counts: list[int]) -> _Pending:
        most, gap = self._most_objects, self._options.gap
        self._since_write += max(counts)
        self._make_room(self._since_write // gap)
        self._since_write %= gap
        self._wait_for_new("segment", num_groups(most), num_identities(most))
        objects = np.array([source.ids.num_objects for source in self._sources], np.int32)
        scalars = (np.int32(max(counts)), objects, np.int32(gap))
        given = self._to_memorise(counts, frames.shape[1])
        with self._timed(frames, given, scalars) as inputs:
            self._state, (slots, logits) = segment_chunks(
                *(self._model, self._variables, self._geometries, self._state, *inputs),
                identities=num_identities(most),
                logits_form=self._options.logits_form,
            )
        slots.copy_to_host_async()  # as soon as they are there, not when they are asked for
        return _Pending(counts, self._known_ids(), slots, logits)

    @in_32_bits
    def _label(self, frames: np.ndarray, counts: list[int]) -> _Pending:
        before, known = self._most_objects, self._known_ids()
        label = np.stack([source.label() for source in self._sources])
        after = self._most_objects
        self._since_write = 0
        self._make_room(1)
        given = self._to_memorise(counts, 1)
        identities = (num_identities(before), num_identities(after))
        self._wait_for_new("label", num_groups(before), num_groups(after), identities)
        masks = (label, None if given is None else given[:, 0])
        with self._timed(frames[:, 0], masks, np.array([before], np.int32)) as inputs:
            self._state, (slots, logits) = label_frames(
                *(self._model, self._variables, self._geometries, self._state, *inputs),
                groups=num_groups(after),
                identities=identities,
                logits_form=self._options.logits_form,
            )
        slots, logits = jax.tree.map(lambda x: x[:, None], (slots, logits))
        return _Pending(counts, known, slots, logits)

    def _known_ids(self) -> list[np.ndarray]:
        return [source.ids.to_array() for source in self._sources]

    def _to_memorise(self, counts: list[int], length: int) -> np.ndarray | None:
        pairs = zip(self._sources, counts, strict=True)
        given = [source.to_memorise(count, length) for source, count in pairs]
        slots = [each for each in given if each is not None]
        return np.stack(slots) if slots else None

    @contextlib.contextmanager
    def _timed(self, *inputs: object) -> Iterator[tuple[Any, ...]]:
        """Times the block, if asked to, once its inputs are on the device."""
        report = self._options.on_frame
        if report is None:
            yield inputs
            return
        inputs = jax.block_until_ready(jax.device_put(inputs))
        jax.block_until_ready(self._state)
        start = time.perf_counter()
        yield inputs
        jax.block_until_ready(self._state)
        report(self._position - 1, time.perf_counter() - start)

    def _make_room(self, num_writes: int) -> None:
        self._num_writes += num_writes
        model = _with_room(self._model, self._capacity, 1 + self._num_writes)
        if model is not self._model:
            self._model = model
            self._state = _grow(self._state, config=model.config.memory)
            self._compiled.clear()

    def _wait_for_new(self, *program: object) -> None:
        """Lets the device finish before a program is compiled: the two would compete for cores."""
        if program not in self._compiled:
            jax.block_until_ready(self._state)
            self._compiled.add(program)


def _with_room(model: MAVOS, capacity: MemoryConfig, num_frames: int) -> MAVOS:
    memory = with_room_for(capacity, num_frames)
    if memory == model.config.memory:
        return model
    return model.clone(config=dataclasses.replace(model.config, memory=memory))


@functools.partial(jax.jit, static_argnames=("config",))
def _grow(state: VideoState, *, config: MemoryConfig) -> VideoState:
    return state._replace(memories=tuple(grow_memory(config, each) for each in state.memories))
