"""Frames on their way in: checked one by one, pulled in chunks."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np

from mavos_jax.config import IGNORED
from mavos_jax.inference.arguments import as_array
from mavos_jax.inference.geometry import padded_size
from mavos_jax.inference.objects import ObjectIds


class FrameSource:
    """Pulls checked frames, padded, in chunks that end before every frame of ``stops``.

    Frames are copied, so that their owner may use the same buffer for the next one. An error of
    the frames' own waits until the frames before it have been pulled.

    Attributes:
      size: height and width of the frames, in pixels; (0, 0) before the first.
      position: index of the next frame.
      is_exhausted: whether the frames have ended, by themselves or with an error.
    """

    def __init__(self, frames: Iterator[np.ndarray], stops: Collection[int]) -> None:
        self._frames = frames
        self._stops = sorted(stops)
        self._error: Exception | None = None
        self.size = (0, 0)
        self.position = 0
        self.is_exhausted = False
        if self._stops and self._stops[0] < 1:
            raise ValueError(f"labels: expected frames from 1 on, got {self._stops[0]}")

    def pull(self, count: int) -> tuple[np.ndarray, int]:
        """Copies up to ``count`` frames; fewer before a stop, at the end, or before an error.

        Returns:
          uint8 [count, H, W, 3], padded, zero where it is not filled, and the number of frames in
          it.
        """
        chunk, pulled = np.zeros((0,), np.uint8), 0
        while pulled < count and not (pulled and self.position in self._stops):
            try:
                frame = self._checked(next(self._frames))
            except StopIteration:
                self.is_exhausted = True
                break
            except Exception as error:  # kept until the frames before it are segmented
                self._error, self.is_exhausted = error, True
                break
            if pulled == 0:
                chunk = np.zeros((count, *padded_size(self.size), 3), np.uint8)
            chunk[pulled, : self.size[0], : self.size[1]] = frame
            pulled, self.position = pulled + 1, self.position + 1
        if self.position == 0:
            self.raise_error()
            raise ValueError("frames: expected at least one frame, got none")
        return chunk, pulled

    def raise_error(self) -> None:
        """Raises what ended the frames, if anything but their end did."""
        if self._error is not None:
            raise self._error
        late = [t for t in self._stops if t >= self.position]
        if late:
            raise ValueError(f"labels: expected frames 1..{self.position - 1}, got {late}")

    def _checked(self, frame: Any) -> np.ndarray:
        name = f"frame {self.position}"
        frame = as_array(frame, name)
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
            raise ValueError(
                f"{name}: expected uint8 RGB [H, W, 3], got {frame.dtype} {list(frame.shape)}"
            )
        size = (frame.shape[0], frame.shape[1])
        if self.position and size != self.size:
            raise ValueError(
                f"{name}: expected {self.size[0]}x{self.size[1]} pixels (height x width) like "
                f"the first frame, got {size[0]}x{size[1]}"
            )
        self.size = size
        return frame


def check_mask(mask: np.ndarray, size: tuple[int, int], name: str) -> np.ndarray:
    """Returns a mask as an array of the frames' size; ``name`` names it in the error.

    Raises:
      ValueError: it is no array or has another size.
    """
    if isinstance(mask, (str, bytes, os.PathLike)) or mask is None:
        raise ValueError(f"{name}: expected a mask of integer ids [H, W], got {mask!r}")
    mask = as_array(mask, name)
    if mask.shape != size:
        raise ValueError(
            f"{name}: expected {size[0]}x{size[1]} pixels (height x width) like the frames, got "
            f"{'x'.join(map(str, mask.shape))}"
        )
    return mask


def first_slots(ids: ObjectIds, mask: np.ndarray, size: tuple[int, int], name: str) -> np.ndarray:
    """Takes up the objects of a video's first mask; returns its slots, uint8 [H, W].

    Raises:
      ValueError: it has another size than the frames, shows no object, or holds ids that it cannot.
    """
    slots = ids.add(check_mask(mask, size, name), name)
    if not ((slots != 0) & (slots != IGNORED)).any():
        raise ValueError(f"{name}: expected at least one object, got background alone")
    return slots


def pad_masks(masks: Sequence[np.ndarray], length: int = 1) -> np.ndarray:
    """Stacks masks of one size, uint8 [length, H, W], padded with zeros."""
    height, width = masks[0].shape
    padded = np.zeros((length, *padded_size((height, width))), np.uint8)
    padded[: len(masks), :height, :width] = masks
    return padded
