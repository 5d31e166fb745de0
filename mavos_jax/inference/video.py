"""Whole videos: one compiled scan over chunks of frames, behind an array or a stream.

All drivers run the same compiled chunk. Its carry, the memory, has a fixed shape and is donated
from chunk to chunk, so neither device nor host memory grows with the video.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from mavos_jax.inference.chunk import LogitsForm, label_frame, segment_chunk, start_video
from mavos_jax.inference.objects import CLAMP, MAX_OBJECTS, ObjectIds, num_groups, num_identities
from mavos_jax.models.mavos import MAVOS, Variables

Labels = Mapping[int, np.ndarray]
"""Masks of objects that appear later, by frame."""

Masks = Sequence[np.ndarray] | np.ndarray


def segment_video(
    model: MAVOS,
    variables: Variables,
    frames: Sequence[np.ndarray] | np.ndarray,
    mask: np.ndarray,
    *,
    labels: Labels | None = None,
    num_objects: int | None = None,
    gap: int | None = None,
    memorise_with: Masks | None = None,
    return_logits: bool = False,
) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
    """Segments a video, given the mask of its first frame.

    Args:
      model: from ``load`` or ``build_model``.
      variables: the model's variables.
      frames: RGB, uint8 [T, H, W, 3]: an array, a memory map or any sequence of frames.
      mask: ids of the first frame's objects, integer [H, W]: 0 background, 255 ignored.
      labels: masks of objects that appear later, by frame (1..T-1); zero where nothing new is.
      num_objects: ``None`` numbers objects in order of appearance; a number says that the ids are
        1..num_objects and that all of them are in play from the start, seen or not.
      gap: frames between two long-term writes; by default the configuration's.
      memorise_with: ids [T, H, W] to memorise instead of the predictions of frames 1..T-1.
      return_logits: whether to return logits, too.

    Returns:
      Masks, uint8 [T, H, W]: the first as given, at frames with labels the prediction with the
      label over it. With ``return_logits`` also float32 logits of frames 1..T-1. If one group of
      ten holds all objects: [T-1, h4, w4, 11] at stride 4 of the network size, -1e10 where not in
      use. Else the merged logits [T-1, ceil(H/4), ceil(W/4), 1 + 10 groups] at rows and columns
      0, 4, 8, ... of the source; a group that comes with a later label is at logit(1e-5) before.

    Raises:
      ValueError: an argument is not as described.
    """
    num_frames = len(frames)
    if num_frames == 0:
        raise ValueError("frames: expected at least one frame, got none")
    labels = labels or {}
    late = sorted(t for t in labels if t >= num_frames)
    if late:
        raise ValueError(f"labels: expected frames 1..{num_frames - 1}, got {late}")
    if memorise_with is not None and len(memorise_with) != num_frames:
        raise ValueError(
            f"memorise_with: expected {num_frames} masks, one per frame, got {len(memorise_with)}"
        )
    groups = _final_groups(mask, labels, num_objects) if return_logits else 0
    logits_form = "none" if groups == 0 else "stride4" if groups == 1 else "merged"
    options = _Options(
        labels,
        num_objects,
        _gap(model, gap),
        memorise_with,
        model.config.inference.chunk_frames,
        True,
        logits_form,
    )
    results = _segment(model, variables, (frames[t] for t in range(num_frames)), mask, options)
    first, _ = next(results)
    masks, logits = np.empty((num_frames, *first.shape), np.uint8), []
    masks[0] = first
    for t, (ids, frame_logits) in enumerate(results, start=1):
        masks[t] = ids
        if frame_logits is not None:
            logits.append(_widen(frame_logits, groups) if groups > 1 else frame_logits)
    return (masks, np.stack(logits)) if return_logits else masks


def stream_video(
    model: MAVOS,
    variables: Variables,
    frames: Iterable[np.ndarray],
    mask: np.ndarray,
    *,
    labels: Labels | None = None,
    num_objects: int | None = None,
    gap: int | None = None,
    memorise_with: Masks | None = None,
) -> Iterator[np.ndarray]:
    """Segments a video frame by frame, at the lowest latency.

    The arguments are :func:`segment_video`'s, but ``frames`` is any iterable, also an endless one.

    Yields:
      uint8 [H, W] masks; the mask of frame t before frame t + 1 is pulled.

    Raises:
      ValueError: an argument is not as described.
    """
    options = _Options(labels or {}, num_objects, _gap(model, gap), memorise_with, 1, False, "none")
    for ids, _ in _segment(model, variables, frames, mask, options):
        yield ids


def stream_masks(
    model: MAVOS,
    variables: Variables,
    frames: Iterable[np.ndarray],
    mask: np.ndarray,
    *,
    labels: Labels | None = None,
    num_objects: int | None = None,
    gap: int | None = None,
    chunk_frames: int | None = None,
) -> Iterator[np.ndarray]:
    """Segments a video chunk by chunk: :func:`stream_video` for throughput.

    Frames are pulled up to two chunks ahead of the masks, so that decoding overlaps computing.
    When ``frames`` raises, the masks of all frames before come first.

    Args:
      model: from ``load`` or ``build_model``.
      variables: the model's variables.
      frames: RGB frames, uint8 [H, W, 3], all of one size.
      mask: ids of the first frame's objects.
      labels: masks of objects that appear later, by frame.
      num_objects: as in :func:`segment_video`.
      gap: as in :func:`segment_video`.
      chunk_frames: frames of a chunk; by default the configuration's.

    Yields:
      uint8 [H, W] masks, one per frame.
    """
    chunk_frames = chunk_frames or model.config.inference.chunk_frames
    options = _Options(
        labels or {}, num_objects, _gap(model, gap), None, chunk_frames, True, "none"
    )
    for ids, _ in _segment(model, variables, frames, mask, options):
        yield ids


class _Options(NamedTuple):
    """What the drivers ask of :func:`_segment`."""

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


def _segment(
    model: MAVOS,
    variables: Variables,
    frames: Iterable[np.ndarray],
    mask: np.ndarray,
    options: _Options,
) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """Yields every frame's ids and logits, one chunk behind the dispatch if it may look ahead."""
    ids = ObjectIds(options.num_objects)
    dispatched = _dispatch(model, variables, iter(frames), mask, ids, options)
    next(dispatched)
    yield np.asarray(mask).astype(np.uint8), None
    pending, error = None, None
    try:
        for following in dispatched:
            if pending is not None:
                yield from _fetch(pending, ids)
            pending = following
            if not options.looks_ahead:
                yield from _fetch(pending, ids)
                pending = None
    except Exception as caught:  # the source's own error: raised once finished work is out
        error = caught
    if pending is not None:
        yield from _fetch(pending, ids)
    if error is not None:
        raise error


def _fetch(pending: _Pending, ids: ObjectIds) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    slots = np.asarray(pending.slots)
    logits = None if pending.logits is None else np.asarray(pending.logits)
    for i in range(pending.num_frames):
        yield ids.to_ids(slots[i]), None if logits is None else logits[i]


def _dispatch(
    model: MAVOS,
    variables: Variables,
    frames: Iterator[np.ndarray],
    mask: np.ndarray,
    ids: ObjectIds,
    options: _Options,
) -> Iterator[_Pending | None]:
    """Starts the computation of frame 0 (yields ``None``), then of one chunk after the other."""
    variables = jax.device_put(variables)
    source = _Source(frames, options)
    frame = source.pull(1)[0]
    slots = ids.add(_checked_mask(mask, frame, "mask"), "mask")
    if not slots[slots != 255].any():
        raise ValueError("mask: expected at least one object, got background alone")
    known = ids.num_objects
    state = start_video(
        model, variables, frame, slots, groups=num_groups(known), identities=num_identities(known)
    )
    yield None
    while True:
        t = source.position
        label = options.labels.get(t)
        chunk = source.pull(1 if label is not None else options.chunk_frames)
        if chunk and label is not None:
            state, outputs = _dispatch_label(
                model, variables, state, (t, chunk[0], label), ids, options
            )
            yield _Pending(1, *outputs)
        elif chunk:
            state, outputs = segment_chunk(
                model,
                variables,
                state,
                _filled(chunk, options.chunk_frames),
                _memorised(ids, options, t, chunk),
                (np.int32(len(chunk)), np.int32(ids.num_objects), np.int32(options.gap)),
                identities=num_identities(ids.num_objects),
                logits_form=options.logits_form,
            )
            yield _Pending(len(chunk), *outputs)
        if source.is_exhausted:
            source.raise_error()
            return


def _dispatch_label(
    model: MAVOS,
    variables: Variables,
    state: Any,
    labelled: tuple[int, np.ndarray, np.ndarray],
    ids: ObjectIds,
    options: _Options,
) -> Any:
    """Starts the computation of a frame with new objects."""
    t, frame, label = labelled
    given = None
    before = ids.num_objects
    slots = ids.add(_checked_mask(label, frame, f"labels[{t}]"), f"labels[{t}]")
    if options.memorise_with is not None:
        given = _memorised(ids, options, t, [frame])[0]
    state, (slots, logits) = label_frame(
        model,
        variables,
        state,
        frame,
        (slots, given),
        np.int32(before),
        groups=num_groups(ids.num_objects),
        identities=(num_identities(before), num_identities(ids.num_objects)),
        logits_form=options.logits_form,
    )
    return state, (slots[None], None if logits is None else logits[None])


class _Source:
    """Pulls checked frames in chunks that end before a frame with labels.

    Attributes:
      position: index of the next frame.
      is_exhausted: whether the frames have ended, by themselves or with an error.
    """

    def __init__(self, frames: Iterator[np.ndarray], options: _Options) -> None:
        self._frames = frames
        self._stops = sorted(options.labels)
        self._size: tuple[int, ...] | None = None
        self._error: Exception | None = None
        self.position = 0
        self.is_exhausted = False
        if self._stops and self._stops[0] < 1:
            raise ValueError(f"labels: expected frames from 1 on, got {self._stops[0]}")

    def pull(self, count: int) -> list[np.ndarray]:
        """Returns up to ``count`` frames; fewer before a label, at the end, or before an error."""
        chunk: list[np.ndarray] = []
        while len(chunk) < count and not (chunk and self.position in self._stops):
            try:
                chunk.append(self._checked(next(self._frames)))
            except StopIteration:
                self.is_exhausted = True
                break
            except Exception as error:  # kept until the frames before it are segmented
                self._error, self.is_exhausted = error, True
                break
            self.position += 1
        if self.position == 0:
            self.raise_error()
            raise ValueError("frames: expected at least one frame, got none")
        return chunk

    def raise_error(self) -> None:
        """Raises what ended the frames, if anything but their end did."""
        if self._error is not None:
            raise self._error
        late = [t for t in self._stops if t >= self.position]
        if late:
            raise ValueError(f"labels: expected frames 1..{self.position - 1}, got {late}")

    def _checked(self, frame: Any) -> np.ndarray:
        frame = np.asarray(frame)
        name = f"frame {self.position}"
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
            raise ValueError(
                f"{name}: expected uint8 RGB [H, W, 3], got {frame.dtype} {list(frame.shape)}"
            )
        if self._size is not None and frame.shape != self._size:
            raise ValueError(
                f"{name}: expected {self._size[0]}x{self._size[1]} pixels (height x width) like "
                f"the first frame, got {frame.shape[0]}x{frame.shape[1]}"
            )
        self._size = frame.shape
        return frame


def _checked_mask(mask: np.ndarray, frame: np.ndarray, name: str) -> np.ndarray:
    mask = np.asarray(mask)
    if mask.shape != frame.shape[:2]:
        raise ValueError(
            f"{name}: expected {frame.shape[0]}x{frame.shape[1]} pixels (height x width) like the "
            f"frames, got {'x'.join(map(str, mask.shape))}"
        )
    return mask


def _memorised(
    ids: ObjectIds, options: _Options, t: int, chunk: list[np.ndarray]
) -> np.ndarray | None:
    """Returns the slots to memorise for a chunk that starts at frame t, filled up like it."""
    if options.memorise_with is None:
        return None
    masks = []
    for i, frame in enumerate(chunk, start=t):
        name = f"memorise_with[{i}]"
        masks.append(ids.to_slots(_checked_mask(options.memorise_with[i], frame, name), name))
    return _filled(masks, options.chunk_frames)


def _filled(arrays: list[np.ndarray], count: int) -> np.ndarray:
    """Stacks arrays and fills the stack with zeros up to ``count``."""
    stack = np.zeros((count, *arrays[0].shape), arrays[0].dtype)
    for i, array in enumerate(arrays):
        stack[i] = array
    return stack


def _gap(model: MAVOS, gap: int | None) -> int:
    if gap is not None and gap < 1:
        raise ValueError(f"gap: expected at least 1 frame, got {gap}")
    return gap or model.config.memory.gap


def _final_groups(mask: np.ndarray, labels: Labels, num_objects: int | None) -> int:
    ids = ObjectIds(num_objects)
    ids.add(np.asarray(mask), "mask")
    for t in sorted(labels):
        ids.add(np.asarray(labels[t]), f"labels[{t}]")
    return num_groups(ids.num_objects)


def _widen(logits: np.ndarray, groups: int) -> np.ndarray:
    """Adds the channels of groups that were not there yet, at the clamp's logit."""
    missing = 1 + MAX_OBJECTS * groups - logits.shape[-1]
    value = np.float32(np.log(CLAMP / (1 - CLAMP)))
    return np.pad(logits, ((0, 0), (0, 0), (0, missing)), constant_values=value)
