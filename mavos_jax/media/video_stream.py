"""What players show of a video file: which of its streams, and which side up."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

_NUM_LOOKED_FOR = 2
_DEFAULT, _COVERS = 0x1, 0x400 | 0x800
"""FFmpeg's dispositions of streams: the default; attached pictures or timed thumbnails."""

_HDR = (16, 18)
"""FFmpeg's transfer characteristics of HDR: perceptual quantiser (HDR10) and hybrid log-gamma."""

_MATRIX_NAME = "DISPLAYMATRIX"
_MATRIX = struct.Struct("=9i")
_SLANT = 0.01
"""The share of another direction up to which an axis of a display matrix counts as straight."""


class Turn(NamedTuple):
    """How stored pixels become what is shown: rows and columns are swapped first, then flipped."""

    swaps_axes: bool = False
    flips_rows: bool = False
    flips_columns: bool = False

    @classmethod
    def of(cls, frame: Any) -> Turn:
        """Reads a PyAV frame's display matrix; raises ValueError unless it turns by quarters."""
        data = next((d for d in frame.side_data if d.type.name == _MATRIX_NAME), None)
        if data is None:
            return cls()
        # A stored column x and row y are shown at (a x + c y, b x + d y).
        a, b, _, c, d, *_ = _MATRIX.unpack(bytes(data)[: _MATRIX.size])
        straight, crossed = max(abs(a), abs(d)), max(abs(b), abs(c))
        if min(straight, crossed) > _SLANT * max(straight, crossed):
            raise ValueError("a turn by no multiple of 90 degrees")
        if straight >= crossed:
            return cls(False, d < 0, a < 0)
        return cls(True, b < 0, c < 0)

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Returns the height and width of what is shown."""
        return (width, height) if self.swaps_axes else (height, width)

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Returns a picture [H, W, 3] as it is shown."""
        if not any(self):
            return pixels
        if self.swaps_axes:
            pixels = pixels.swapaxes(0, 1)
        rows, columns = (slice(None, None, -1 if flips else 1) for flips in self[1:])
        return np.ascontiguousarray(pixels[rows, columns])

    def __str__(self) -> str:
        return _WORDS[self]


_WORDS = {
    Turn(): "",
    Turn(False, True, True): "turned by 180 degrees",
    Turn(True, False, True): "turned by 90 degrees clockwise",
    Turn(True, True, False): "turned by 90 degrees anticlockwise",
    Turn(False, False, True): "mirrored left to right",
    Turn(False, True, False): "mirrored top to bottom",
    Turn(True, False, False): "mirrored and turned by 90 degrees anticlockwise",
    Turn(True, True, True): "mirrored and turned by 90 degrees clockwise",
}


def choose_stream(container: Any, path: Path) -> tuple[int, tuple[str, ...]]:
    """Chooses the stream that players show: one of several pictures, marked as the default.

    Cover pictures, thumbnails and streams of one picture are no video, unless a stream of one
    picture is all there is. Where the header of the PyAV container does not count pictures, it is
    read on. Raises ValueError if there is no stream of pictures but covers.

    Returns:
      The stream's index in the file, and words for each other stream of pictures.
    """
    streams = container.streams.video
    kinds = {s.index: "a cover picture" for s in streams if _disposition(s) & _COVERS}
    kinds |= {s.index: "of an unknown codec" for s in streams if s.codec_context is None}
    found = [stream for stream in streams if stream.index not in kinds]
    if not found:
        others = {s.type for s in container.streams if s.index not in kinds}
        raise ValueError(
            f"{path}: expected a video stream, found none in the file, but "
            f"{' and '.join([*kinds.values(), *sorted(others)]) or 'no other either'}; "
            "give a file with a video"
        )
    if len(found) > 1:
        single = _single_pictures(container, found)
        kinds |= {stream.index: "one picture" for stream in found if stream.index in single}
        found = [stream for stream in found if stream.index not in single] or found[:1]
    chosen = next((s for s in found if _disposition(s) & _DEFAULT), found[0])
    kinds |= {s.index: f"a video of {s.width}x{s.height}" for s in found if s is not chosen}
    kinds.pop(chosen.index, None)
    return chosen.index, tuple(f"stream {index}, {kinds[index]}" for index in sorted(kinds))


def _disposition(stream: Any) -> int:
    return int(getattr(stream, "disposition", 0))  # PyAV 14 does not tell


def describe_ratio(stream: Any) -> str:
    """Words for pixels that are no squares, "" for those that are."""
    ratio = stream.sample_aspect_ratio or Fraction(1)
    return "" if ratio == 1 else f"pixels {ratio.numerator}:{ratio.denominator} wide as stored"


def describe_light(frame: Any) -> tuple[str, ...]:
    """Words for what players do to a frame's pixels and is not done here."""
    is_hdr = getattr(frame, "color_trc", None) in _HDR  # older PyAV does not tell
    words = ("HDR without tone mapping" if is_hdr else "", "interlaced" * frame.interlaced_frame)
    return tuple(filter(None, words))


def _single_pictures(container: Any, streams: list[Any]) -> set[int]:
    """The indices of streams that hold a single picture; counted where no header tells."""
    counts = {stream.index: stream.frames for stream in streams}
    uncounted = [stream for stream in streams if not stream.frames]
    if uncounted:
        for packet in container.demux(uncounted):
            counts[packet.stream.index] += packet.size > 0
            if all(counts[stream.index] >= _NUM_LOOKED_FOR for stream in uncounted):
                break
        container.seek(0)
    return {index for index, count in counts.items() if count <= 1}
