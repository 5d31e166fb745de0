"""Videos on their way in: frames, masks and labels, checked one by one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from mavos_jax.config import IGNORED
from mavos_jax.inference.arguments import as_array, check_frames, check_labels
from mavos_jax.inference.geometry import Sizes, padded_size
from mavos_jax.inference.objects import ObjectIds
from mavos_jax.models.resize import nearest_indices

Labels = Mapping[int, np.ndarray]
"""Masks of new or corrected objects, by frame."""

Masks = Sequence[np.ndarray] | np.ndarray


class Video(NamedTuple):
    """The arguments of ``segment_video`` that describe a video, and its place in a batch."""

    frames: Iterable[np.ndarray]
    mask: np.ndarray
    labels: Labels = MappingProxyType({})
    num_objects: int | None = None
    memorise_with: Masks | None = None
    output_size: tuple[int, int] | None = None
    number: int | None = None


class Source:
    """Takes a video in, frame by frame, and numbers its objects; ``position`` is the next frame.

    Frames are copied, so their owner may reuse one buffer. An error of the frames waits until the
    frames before it have been pulled.
    """

    def __init__(self, video: Video) -> None:
        number = video.number
        self._name = "" if number is None else f"videos[{number}]: "
        self._mask_name = "mask" if number is None else f"masks[{number}]"
        check_frames(video.frames, "frames" if number is None else f"videos[{number}]")
        check_labels(video.labels)
        self.ids = ObjectIds(video.num_objects)
        self.labels = video.labels
        self.sizes = Sizes((0, 0), (0, 0))
        self.position = 0
        self.is_exhausted = False
        self._video = video
        self._frames = iter(video.frames)
        self._error: Exception | None = None

    def start(self, first: Source) -> tuple[np.ndarray, np.ndarray]:
        """Returns the first frame, of the size of the ``first`` video's, and its slots, padded."""
        frame, name = self._next(), self._mask_name
        if frame is None:
            none = ValueError(f"{self._name}frames: expected at least one frame, found none")
            raise self._error or none
        size = (frame.shape[0], frame.shape[1])
        self.sizes = Sizes(size, self._video.output_size or size)
        if self.sizes != first.sizes:
            height, width = first.sizes.frame
            raise ValueError(
                f"{self._name}expected frames of {height}x{width} pixels (height x width) like "
                f"those of videos[0], found {size[0]}x{size[1]}"
            )
        slots = self.ids.add(_check_mask(self._video.mask, size, name), name)
        if not ((slots != 0) & (slots != IGNORED)).any():
            raise ValueError(f"{name}: expected at least one object, found only background")
        return _pad(frame), _pad(slots)

    def first_ids(self) -> np.ndarray:
        """Returns the first mask at the size of the output."""
        rows, columns = (nearest_indices(*pair) for pair in zip(*self.sizes, strict=True))
        return np.asarray(self._video.mask).astype(np.uint8)[rows][:, columns]

    def pull(self, chunk: np.ndarray) -> int:
        """Copies the next frames into a padded chunk [t, H, W, 3]; returns how many there were.

        Fewer than t come before a label, at the end, or before an error.
        """
        height, width = self.sizes.frame
        for index, place in enumerate(chunk):
            frame = None if index and self.position in self.labels else self._next()
            if frame is None:
                return index
            place[:height, :width] = frame
        return len(chunk)

    def label(self) -> np.ndarray:
        """Returns the slots of the last frame's label, padded, and registers its new objects."""
        name = f"labels[{self.position - 1}]"
        label = _check_mask(self.labels[self.position - 1], self.sizes.output, name)
        return _pad(self.ids.add(label, name))

    def to_memorise(self, count: int, length: int) -> np.ndarray | None:
        """Returns the given slots of the last ``count`` frames, padded [length, H, W], if any."""
        given = self._video.memorise_with
        if given is None:
            return None
        padded = np.zeros((length, *padded_size(self.sizes.output)), np.uint8)
        for place, t in zip(padded, range(self.position - count, self.position), strict=False):
            name = f"memorise_with[{t}]"
            if t >= len(given):
                raise ValueError(f"{name}: expected a mask for every frame, found none")
            slots = self.ids.to_slots(_check_mask(given[t], self.sizes.output, name), name)
            place[: slots.shape[0], : slots.shape[1]] = slots
        return padded

    def raise_error(self) -> None:
        """Raises what ended the frames, unless they simply ended."""
        if self._error is not None:
            raise self._error
        late = sorted(t for t in self.labels if t >= self.position)
        if late:
            raise ValueError(f"labels: expected frames 1..{self.position - 1}, found {late}")

    def _next(self) -> np.ndarray | None:
        """Returns the next frame, or ``None`` at the end or at an error, which it keeps."""
        if self.is_exhausted:
            return None
        try:
            frame = _check_frame(next(self._frames), self.position, self.sizes.frame)
        except StopIteration:
            self.is_exhausted = True
        except Exception as error:  # raised once the frames before it are segmented
            self._error, self.is_exhausted = error, True
            if self._name and isinstance(error, ValueError):
                self._error = ValueError(f"{self._name}{error}")
                self._error.__cause__ = error
        else:
            self.position += 1
            return frame
        return None


def _check_frame(frame: object, position: int, size: tuple[int, int]) -> np.ndarray:
    """Returns a frame as an array; ``size`` is the first frame's."""
    name = f"frame {position}"
    array = as_array(frame, name)
    if array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.uint8:
        raise ValueError(
            f"{name}: expected uint8 RGB [H, W, 3], found {array.dtype} {list(array.shape)}"
        )
    if position and array.shape[:2] != size:
        raise ValueError(
            f"{name}: expected {size[0]}x{size[1]} pixels (height x width) like the first frame, "
            f"found {array.shape[0]}x{array.shape[1]}"
        )
    return array


def _check_mask(mask: object, size: tuple[int, int], name: str) -> np.ndarray:
    """Returns a mask as an array of the given size; ``name`` names it in the error."""
    if isinstance(mask, (str, bytes, os.PathLike)) or mask is None:
        raise ValueError(f"{name}: expected a mask of integer ids [H, W], found {mask!r}")
    array = as_array(mask, name)
    if array.shape != size:
        raise ValueError(
            f"{name}: expected {size[0]}x{size[1]} pixels (height x width) like the frames, found "
            f"{'x'.join(map(str, array.shape))}"
        )
    return array


def _pad(array: np.ndarray) -> np.ndarray:
    """Pads a frame or a map of slots with zeros, see :func:`~.geometry.padded_size`."""
    height, width = array.shape[:2]
    padded = np.zeros((*padded_size((height, width)), *array.shape[2:]), np.uint8)
    padded[:height, :width] = array
    return padded
