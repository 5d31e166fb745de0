"""What every data set looks like to training: annotated videos, and batches of clips from them."""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np


class Sample(NamedTuple):
    """One frame and its mask.

    Attributes:
      frame: uint8 RGB [H, W, 3].
      mask: uint8 object ids [H, W], 0 = background, 255 = unknown.
    """

    frame: np.ndarray
    mask: np.ndarray


@runtime_checkable
class AnnotatedVideo(Protocol):
    """A video with a mask for every frame; frames are read when they are asked for."""

    @property
    def name(self) -> str:
        """Words for messages: the set and the sequence."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...

    def mask(self, index: int) -> np.ndarray:
        """The mask alone, for choosing frames without decoding them."""
        ...


@runtime_checkable
class VideoSet(Protocol):
    """A data set: videos by index. It can be pickled, for loader processes.

    Attributes:
      name: words for messages.
      max_gap: largest distance between two neighbouring frames of a clip, in frames.
      is_static: whether its videos are single images, from which clips are made by deforming.
    """

    name: str
    max_gap: int
    is_static: bool

    @property
    def num_left_out(self) -> int:
        """Videos, or images, that the set's rules leave out."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> AnnotatedVideo: ...

    def fingerprint(self) -> str:
        """A short hash of what the set holds: names and sizes of its files, or its recipe."""
        ...
