"""Data sets in memory for the tests of the loader; loader processes import them from here."""

import dataclasses
import os
import signal
from typing import NamedTuple

import numpy as np

from mavos_jax.datasets import DamagedSample
from mavos_jax.generated.video import SyntheticVideo
from mavos_jax.media.samples import Sample


class DrawnClip(NamedTuple):
    """Frames and masks of a generated video, [T, H, W, 3] and [T, H, W]."""

    frames: np.ndarray
    masks: np.ndarray


def draw_whole(video: SyntheticVideo) -> DrawnClip:
    """Draws all frames of a generated video."""
    frames, masks = zip(*(video[index] for index in range(len(video))), strict=True)
    return DrawnClip(np.stack(frames), np.stack(masks))


@dataclasses.dataclass(frozen=True)
class MaskVideo:
    """A video whose frames show its masks."""

    masks: np.ndarray
    name: str = "masks"

    def __len__(self) -> int:
        return len(self.masks)

    def __getitem__(self, index: int) -> Sample:
        mask = self.masks[index]
        return Sample(paint(mask), mask)

    def mask(self, index: int) -> np.ndarray:
        return self.masks[index]


def paint(mask: np.ndarray) -> np.ndarray:
    """A frame that shows its mask: red where an object is, the more green the higher its id."""
    is_object = (mask > 0) & (mask < 255)
    return np.stack([np.uint8(255) * is_object, mask * np.uint8(25), np.uint8(90) + 0 * mask], -1)


@dataclasses.dataclass
class BoxSet:
    """Videos of boxes that drift; how many and where follows from the video's number.

    Reading a video in ``damaged`` or ``faulty`` raises; in ``deadly`` it kills the process.
    """

    length: int = 12
    size: int = 48
    name: str = "boxes"
    max_gap: int = 2
    is_static: bool = False
    num_left_out: int = 0
    damaged: tuple[int, ...] = ()
    deadly: tuple[int, ...] = ()
    faulty: tuple[int, ...] = ()
    empty: bool = False

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> MaskVideo:
        if index in self.damaged:
            raise DamagedSample(f"{self.name}/{index:03d}.jpg: expected an image, found none")
        if index in self.faulty:
            raise KeyError(f"video {index}")
        if index in self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        rng = np.random.default_rng(index)
        masks = np.zeros((6, self.size, self.size), np.uint8)
        if not self.empty:
            for identity in range(1, int(rng.integers(2, 4))):
                top, left = rng.integers(0, self.size // 2, 2)
                for time in range(6):
                    masks[time, top + time : top + time + 16, left : left + 16] = identity
        return MaskVideo(masks, f"{self.name}: {index}")

    def fingerprint(self) -> str:
        return str(self.length)
