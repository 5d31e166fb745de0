"""Several videos at once: the programs of one video, mapped over a batch of them.

A small network leaves a large device idle while it waits for one frame after the other. Videos of
one frame size that go in step share every kernel, and reads of the weights.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import jax
import numpy as np

from mavos_jax.axes import Array, Scalar
from mavos_jax.inference.arguments import (
    check_frames,
    check_network,
    check_sequence,
    checked_gap,
    fitting_variables,
)
from mavos_jax.inference.frame import VideoState
from mavos_jax.inference.geometry import Sizes, geometries, padded_size
from mavos_jax.inference.growth import Writes, grow_states, with_room
from mavos_jax.inference.objects import ObjectIds, num_groups, num_identities
from mavos_jax.inference.programs import Geometries, States, segment_chunk, start_video
from mavos_jax.inference.source import FrameSource, first_slots, pad_masks
from mavos_jax.models.mavos import MAVOS, Variables
from mavos_jax.models.memory import Memory
from mavos_jax.models.prepare import prepare_variables
from mavos_jax.runtime.devices import GraphProgram, in_32_bits

_Result = TypeVar("_Result")

# All videos write at the same frames. Unmapped counts keep the writes branches, where mapped ones
# would compute them for every frame.
_MEMORY_AXES = Memory._make((0, 0, None))
_STATES = (VideoState._make((_MEMORY_AXES, None)),)


@functools.partial(jax.jit, static_argnames=("model", "groups", "identities"))
def start_videos(
    model: MAVOS,
    variables: Variables,
    geometry: Geometries,
    frames: Array,
    slots: Array,
    *,
    groups: int,
    identities: int,
) -> States:
    """Returns the states after the first frames; :func:`~.chunk.start_video` of every video.

    Args:
      model: the network.
      variables: its variables.
      geometry: of the one view, the same for all videos.
      frames: uint8 [b, H, W, 3], padded.
      slots: of the objects, uint8 [b, H, W], padded.
      groups: of objects, the most that a video needs.
      identities: channels of a group that can be in use in any video.
    """

    def start(frame: Array, slots: Array) -> States:
        return start_video(
            model, variables, geometry, frame, slots, groups=groups, identities=identities
        )

    return jax.vmap(start, out_axes=_STATES)(frames, slots)


@functools.partial(
    GraphProgram, static_argnames=("model", "identities"), donate_argnames=("states",)
)
def segment_chunks(
    model: MAVOS,
    variables: Variables,
    geometry: Geometries,
    states: States,
    frames: Array,
    scalars: tuple[Scalar, Array, Scalar],
    *,
    identities: int,
) -> tuple[States, Array]:
    """Segments and memorises a chunk of every video; :func:`~.chunk.segment_chunk` of each.

    Args:
      model: the network.
      variables: its variables.
      geometry: of the one view, the same for all videos.
      states: after the frames before the chunk; donated.
      frames: uint8 [b, t, H, W, 3], padded; zeros where a video has ended.
      scalars: frames that are real in any video, slots in use of every video [b], and the gap
        between writes.
      identities: channels of a group that can be in use in any video.

    Returns:
      The states, and padded slots, uint8 [b, t, H, W].
    """
    num_frames, num_objects, gap = scalars

    def segment(states: States, frames: Array, num_objects: Scalar) -> tuple[States, Array]:
        states, (slots, _) = segment_chunk.function(
            *(model, variables, geometry, states, frames, None, (num_frames, num_objects, gap)),
            identities=identities,
            logits_form="none",
        )
        return states, slots

    mapped = jax.vmap(segment, in_axes=(_STATES, 0, 0), out_axes=(_STATES, 0))
    return mapped(states, frames, num_objects)


def stream_batch(
    model: MAVOS,
    variables: Variables,
    videos: Sequence[Iterable[np.ndarray]],
    masks: Sequence[np.ndarray] | np.ndarray,
    *,
    num_objects: Sequence[int] | None = None,
    gap: int | None = None,
    chunk_frames: int | None = None,
) -> Iterator[tuple[np.ndarray | None, ...]]:
    """Segments several videos in step, for throughput: :func:`~.video.stream_masks` of each.

    Every video gets the masks that it gets alone, up to rounding. Objects are those of the first
    masks. The batch computes until its longest video ends, so videos of like length go together.
    When the frames of a video raise, all others come to their end first.

    Args:
      model: from ``load`` or ``build_model``.
      variables: the model's variables.
      videos: RGB frames of each video, uint8 [H, W, 3], all of one size.
      masks: ids of the first frame's objects of each video.
      num_objects: of each video, as in ``segment_video``; by default their ids are numbered.
      gap: frames between two long-term writes; by default the configuration's.
      chunk_frames: frames of a chunk; by default the configuration's.

    Yields:
      For every frame of the longest video the mask of each, uint8 [H, W], None where it has ended.

    Raises:
      ValueError: an argument is not as described; ``videos[i]`` names the video.
    """
    check_network(model, variables)
    batch = _Batch(model, variables, videos, checked_gap(model, gap))
    yield batch.start(masks, num_objects)
    length = chunk_frames or model.config.inference.chunk_frames
    pending = batch.advance(length)
    while pending is not None:
        # The next chunk is on its way before this one's masks are waited for.
        following = batch.advance(length)
        yield from batch.fetch(*pending)
        pending = following
    batch.raise_error()


def segment_batch(
    model: MAVOS,
    variables: Variables,
    videos: Sequence[Iterable[np.ndarray]],
    masks: Sequence[np.ndarray] | np.ndarray,
    *,
    num_objects: Sequence[int] | None = None,
    gap: int | None = None,
) -> list[np.ndarray]:
    """Segments several videos in step; :func:`stream_batch`, whose arguments these are, to the end.

    Returns:
      The masks of each video, uint8 [T, H, W] with its own T.
    """
    steps = list(stream_batch(model, variables, videos, masks, num_objects=num_objects, gap=gap))
    return [
        np.stack([mask for mask in video if mask is not None]) for video in zip(*steps, strict=True)
    ]


class _Batch:
    """Videos on their way through the mapped programs.

    Attributes:
      size: height and width of the frames, in pixels.
    """

    @in_32_bits
    def __init__(
        self,
        model: MAVOS,
        variables: Variables,
        videos: Sequence[Iterable[np.ndarray]],
        gap: int,
    ) -> None:
        check_sequence("videos", videos, "a list of videos")
        for number, video in enumerate(videos):
            check_frames(video, f"videos[{number}]")
        if len(videos) == 0:
            raise ValueError("videos: expected at least one video, got none")
        self._memory, self._gap = model.config.memory, gap
        self._writes = Writes()
        self._model = with_room(model, self._memory, self._writes)
        self._variables = jax.device_put(prepare_variables(model, variables))
        self._sources = [FrameSource(iter(video), ()) for video in videos]
        self._ids: list[ObjectIds] = []
        self._identities = 0
        self._states: States = ()
        self._geometry: Geometries = ()
        self.size = (0, 0)

    @fitting_variables()
    @in_32_bits
    def start(
        self, masks: Sequence[np.ndarray] | np.ndarray, num_objects: Sequence[int] | None
    ) -> tuple[np.ndarray, ...]:
        """Starts the computation of the first frames; returns their masks."""
        count = len(self._sources)
        for name, given in (("masks", masks), ("num_objects", num_objects)):
            if given is not None or name == "masks":
                check_sequence(name, given, f"{count}, one for each video")
            if given is not None and len(given) != count:
                raise ValueError(f"{name}: expected {count}, one for each video, got {len(given)}")
        frames, slots = [], []
        for number, source in enumerate(self._sources):
            frames.append(_name_video(number, source.pull, 1)[0][0])
            if number and source.size != self._sources[0].size:
                height, width = self._sources[0].size
                raise ValueError(
                    f"videos[{number}]: expected frames of {height}x{width} pixels (height x "
                    f"width) like those of videos[0], got {source.size[0]}x{source.size[1]}"
                )
            ids = ObjectIds(num_objects[number] if num_objects is not None else None)
            slots.append(first_slots(ids, masks[number], source.size, f"masks[{number}]"))
            self._ids.append(ids)
        self.size = self._sources[0].size
        most = max(ids.num_objects for ids in self._ids)
        self._identities = num_identities(most)
        self._geometry = jax.device_put(geometries(self._model.config, Sizes(self.size, self.size)))
        self._states = start_videos(
            *(
                self._model,
                self._variables,
                self._geometry,
                np.stack(frames),
                pad_masks(slots, count),
            ),
            groups=num_groups(most),
            identities=self._identities,
        )
        return tuple(np.asarray(mask).astype(np.uint8) for mask in masks)

    @in_32_bits
    def advance(self, length: int) -> tuple[list[int], jax.Array] | None:
        """Starts the computation of the next chunk.

        Returns:
          The frames that each video has in it, and the padded slots; None when all have ended.
        """
        frames = np.zeros((len(self._sources), length, *padded_size(self.size), 3), np.uint8)
        counts = []
        for number, source in enumerate(self._sources):
            pulled = 0
            if not source.is_exhausted:
                chunk, pulled = _name_video(number, source.pull, length)
                if pulled:
                    frames[number] = chunk
            counts.append(pulled)
        if not any(counts):
            return None
        self._make_room(max(counts))
        objects = np.array([ids.num_objects for ids in self._ids], np.int32)
        self._states, slots = segment_chunks(
            *(self._model, self._variables, self._geometry, self._states, frames),
            (np.int32(max(counts)), objects, np.int32(self._gap)),
            identities=self._identities,
        )
        slots.copy_to_host_async()  # as soon as they are there, not when they are asked for
        return counts, slots

    def fetch(self, counts: list[int], slots: jax.Array) -> Iterator[tuple[np.ndarray | None, ...]]:
        """Waits for a chunk; yields the ids of each of its frames."""
        height, width = self.size
        found = np.asarray(slots)[:, :, :height, :width]
        for t in range(max(counts)):
            yield tuple(
                ids.to_ids(found[number, t]) if t < counts[number] else None
                for number, ids in enumerate(self._ids)
            )

    def raise_error(self) -> None:
        """Raises what ended a video, if anything but its end did."""
        for number, source in enumerate(self._sources):
            _name_video(number, source.raise_error)

    def _make_room(self, count: int) -> None:
        """Lets the memories grow, if they do, before the program that fills them."""
        self._writes = self._writes.after_frames(count, self._gap)
        model = with_room(self._model, self._memory, self._writes)
        if model is not self._model:
            self._model = model
            grow = jax.vmap(
                functools.partial(grow_states, config=model.config.memory),
                in_axes=(_STATES,),
                out_axes=_STATES,
            )
            self._states = grow(self._states)


def _name_video(number: int, function: Callable[..., _Result], *arguments: object) -> _Result:
    try:
        return function(*arguments)
    except ValueError as error:
        raise ValueError(f"videos[{number}]: {error}") from error
