"""The options of the benchmark."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Literal

from mavos_jax.profiling.precision import Precision

Measurement = Literal["frame", "parts", "aot", "xmem", "end-to-end"]
MEASUREMENTS: tuple[Measurement, ...] = ("frame", "parts", "aot", "xmem", "end-to-end")


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Measure what a network costs, with fresh weights or a checkpoint's.

    Without further options: one frame inside the compiled scan. Several values of an option, or any
    of --measure, --sizes, --precisions, --chunk_frames and --against, ask for a row for every
    combination. --lengths asks for speed and memory against the length of the video.

    Attributes:
      config: the configuration of the network.
      checkpoint: the folder of weights to time; by default fresh ones, which are as fast.
      against: configurations of other networks, measured in turns with the first, with fresh
        weights.
      size: height and width of the frames in pixels.
      sizes: several sizes, such as 480x854, instead of --size.
      objects: objects in the video.
      precisions: of products and convolutions: float32, bfloat16, or float32 values multiplied as
        tf32 where a device does so; by default the configuration's.
      chunk_frames: frames of one scan in the rows; by default --frames.
      videos: segmented at once; of more than one the frame in the scan is measured alone.
      measure: what a row holds: the frame in the scan, its parts, FPS by the protocols.
      lengths: frames of the videos of which speed and memory are measured.
      bank: whether a bank has room for all frames that a video of a length writes, as in the
        paper's Fig. 1, or for as many as configured.
      frames: frames of one scan, and of one sample of it.
      video_frames: frames of the videos that the protocols time.
      repeats: how often everything is timed; medians are reported.
      reference_rate: also scale times to a machine whose matrix product runs at this rate, in
        GFLOP/s.
      json: a file for the results.
      plot: a picture of --lengths, .png or .svg; needs matplotlib.
    """

    config: Path | None = None
    checkpoint: Path | None = None
    against: tuple[Path, ...] = ()
    size: tuple[int, int] = (481, 849)
    sizes: tuple[str, ...] = ()
    objects: tuple[int, ...] = (2,)
    precisions: tuple[Precision, ...] = ()
    chunk_frames: tuple[int, ...] = ()
    videos: tuple[int, ...] = (1,)
    measure: tuple[Measurement, ...] = ()
    lengths: tuple[int, ...] = ()
    bank: Literal["unbounded", "configured"] = "unbounded"
    frames: int = 4
    video_frames: int = 12
    repeats: int = 7
    reference_rate: float = 210.0
    json: Path | None = None
    plot: Path | None = None

    def __post_init__(self) -> None:
        for name in ("frames", "repeats"):
            if getattr(self, name) < 1:
                raise ValueError(f"--{name}: expected at least 1, got {getattr(self, name)}")
        if self.reference_rate <= 0:
            raise ValueError(f"--reference_rate: expected above 0, got {self.reference_rate}")
        if self.video_frames < 2:
            raise ValueError(f"--video_frames: expected at least 2, got {self.video_frames}")
        if not self.objects or not all(1 <= number <= 254 for number in self.objects):
            raise ValueError(f"--objects: expected 1 to 254, got {_listed(self.objects)}")
        for name in ("chunk_frames", "videos"):
            if not all(number >= 1 for number in getattr(self, name)):
                raise ValueError(
                    f"--{name}: expected at least 1, got {_listed(getattr(self, name))}"
                )
        if not all(length >= 2 for length in self.lengths):
            raise ValueError(f"--lengths: expected at least 2, got {_listed(self.lengths)}")
        for size in self.frame_sizes:
            if min(size) < 32:
                name = "--sizes" if self.sizes else "--size"
                raise ValueError(f"{name}: expected at least 32 pixels a side, got {size}")
        self._check_lengths()

    def _check_lengths(self) -> None:
        if not self.lengths:
            if self.plot is not None:
                raise ValueError("--plot: expected --lengths, whose picture it is, got none")
            return
        if self.videos != (1,):
            raise ValueError(f"--videos: expected 1 with --lengths, got {_listed(self.videos)}")
        for name in ("sizes", "objects", "precisions"):
            if len(getattr(self, name)) > 1:
                raise ValueError(f"--{name}: expected one with --lengths, got several")
        for name in ("chunk_frames", "measure"):
            if getattr(self, name):
                raise ValueError(f"--{name}: expected none with --lengths, which times by aot")
        if self.plot is not None and self.plot.suffix not in (".png", ".svg"):
            raise ValueError(f"--plot: expected a name in .png or .svg, got {self.plot}")

    @property
    def frame_sizes(self) -> tuple[tuple[int, int], ...]:
        """Heights and widths to measure at."""
        return tuple(map(_size, self.sizes)) or (self.size,)

    @property
    def has_rows(self) -> bool:
        """Whether more is asked for than the frame in the scan of one network."""
        several = (self.sizes, self.precisions, self.chunk_frames, self.measure, self.against)
        return any(several) or len(self.objects) > 1 or self.videos != (1,)


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    if found is None:
        raise ValueError(f"--sizes: expected HEIGHTxWIDTH such as 480x854, got {text}")
    return int(found[1]), int(found[2])


def _listed(numbers: tuple[int, ...]) -> str:
    return " ".join(map(str, numbers)) or "none"
