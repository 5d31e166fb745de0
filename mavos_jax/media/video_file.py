"""Video files, decoded with PyAV (extra ``video``)."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

import numpy as np

from mavos_jax.media.frames import describe_size

_RIFF = b"RIFF"
_MATROSKA = b"\x1a\x45\xdf\xa3"
_MATROSKA_SEGMENT = b"\x18\x53\x80\x67"

_SYNC_BYTE = 0x47
_PACKET_SIZES = {0: 188, 4: 192}
"""Of MPEG transport streams, by the position of the first sync byte: .ts and .m2ts."""

_DECLARING = ("flv", "matroska,webm")
"""Formats whose header declares a duration; others' is estimated, or checked by their index."""

_MICROSECONDS = 1_000_000
_NUM_TOLERATED = 4
_SLOWEST_RATE = 10

_RECODE = "restore it, or re-encode what is whole: ffmpeg -i BROKEN WHOLE.mp4"


@dataclasses.dataclass(frozen=True)
class VideoFile:
    """The frames of the first video stream of a file, named 00000, 00001, ...

    Pixels are taken as they are stored: a rotation that the file asks players for is ignored, as an
    image's EXIF orientation is.

    Attributes:
      path: the file.
      size: height and width of its first frame, which the others must have, in pixels.
      num_frames: the number of frames that the file declares, None if it declares none. Files
        with an edit list may hold a few frames less.
      frame_rate: the mean number of frames a second, None if unknown.
    """

    path: Path
    size: tuple[int, int]
    num_frames: int | None
    frame_rate: Fraction | None

    @classmethod
    def open(cls, path: Path) -> VideoFile:
        """Reads a file's index and its first frame.

        Raises:
          ValueError: PyAV is not installed, or the file is no video, has no frame, or ends before
            the data that its index names.
        """
        av = import_av(path)
        _require_declared_size(path)
        try:
            with av.open(str(path)) as container:
                if not container.streams.video:
                    raise ValueError(
                        f"{path}: expected a video stream, found none in the file; {_RECODE}"
                    )
                stream = container.streams.video[0]
                _require_whole_index(path, stream)
                num_frames, frame_rate = stream.frames or None, stream.average_rate
                first = next(iter(container.decode(stream)), None)
        except av.FFmpegError as error:
            raise ValueError(
                f"{path}: expected a video, found a file that is cut off or no video "
                f"({error.strerror}); {_RECODE}"
            ) from error
        if first is None:
            raise ValueError(f"{path}: expected frames, found a video with none; {_RECODE}")
        return cls(path, (first.height, first.width), num_frames, frame_rate)

    @property
    def origin(self) -> str:
        """The file."""
        return str(self.path)

    def name(self, index: int) -> str:
        """The index, padded to five digits."""
        return f"{index:05d}"

    def __iter__(self) -> Iterator[np.ndarray]:
        av = import_av(self.path)
        index = 0
        with av.open(str(self.path)) as container:
            frames = _decode(container)
            while True:
                try:
                    frame = next(frames, None)
                except EOFError as error:
                    raise ValueError(self._damaged(index, str(error))) from error
                except av.FFmpegError as error:
                    raise ValueError(self._damaged(index, error.strerror)) from error
                if frame is None:
                    return
                if frame.is_corrupt:
                    raise ValueError(self._damaged(index, "incomplete data"))
                size = (frame.height, frame.width)
                if size != self.size:
                    raise ValueError(
                        f"{self.path}: expected {describe_size(self.size)} as frame 0, found "
                        f"{describe_size(size)} at frame {index}; split the video there, or "
                        "re-encode it at one size"
                    )
                yield frame.to_ndarray(format="rgb24")
                index += 1

    def _damaged(self, index: int, found: str | None) -> str:
        return (
            f"{self.path}: expected a whole video, found it cut off or damaged at frame {index} "
            f"({found}); {_RECODE}"
        )


def import_av(path: Path) -> ModuleType:
    """Imports PyAV, which only video files need.

    Args:
      path: the video file that needs it, for the message.

    Raises:
      ValueError: it is not installed.
    """
    try:
        import av
    except ImportError:
        raise ValueError(
            f"{path}: expected PyAV for video files, found it not installed; "
            "pip install av, or use folders of pictures"
        ) from None
    return av


def _decode(container: Any) -> Iterator[Any]:
    """Decodes the first video stream.

    Raises:
      EOFError: the file ended inside a packet, or before the duration that its header declares. The
        decoder would take that for the end of the video. Other streams count too, because sound may
        be longer.
    """
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    end, is_cut = Fraction(0), False
    for packet in container.demux():
        if packet.size:
            is_cut = packet.is_corrupt
        if packet.pts is not None and packet.time_base is not None:
            end = max(end, (packet.pts + (packet.duration or 0)) * packet.time_base)
        if packet.stream.index == stream.index:
            yield from packet.decode()
    if is_cut:  # the decoder's threads may keep quiet about a last packet
        raise EOFError("the last data are incomplete")
    if container.format.name not in _DECLARING or container.duration is None:
        return
    declared = Fraction(container.duration, _MICROSECONDS)
    if end + _NUM_TOLERATED / (stream.average_rate or _SLOWEST_RATE) < declared:
        raise EOFError(f"the end is at {float(end):.2f} of {float(declared):.2f} seconds")


def _require_whole_index(path: Path, stream: Any) -> None:
    """Raises if the index (of .mp4, .mov) names data beyond the end of the file.

    The decoder would take the missing end for the end of the video.
    """
    entries = getattr(stream, "index_entries", ())  # PyAV below 16 does not tell
    file_size = path.stat().st_size
    num_whole = sum(entry.pos + entry.size <= file_size for entry in entries)
    if num_whole < len(entries):
        raise ValueError(
            f"{path}: expected a whole video, found it cut off at about frame {num_whole} of "
            f"{stream.frames or len(entries)}; {_RECODE}"
        )


def _require_declared_size(path: Path) -> None:
    """Raises if a Matroska, WebM, AVI or transport stream is shorter than its header says.

    Cut off, these have no index to compare with, and the decoder is as silent about a missing end.
    Of a transport stream only an end inside a packet shows.
    """
    found = path.stat().st_size
    with path.open("rb") as file:
        declared = _declared_size(file) or _whole_packets(file, found)
    if declared is not None and found < declared:
        raise ValueError(
            f"{path}: expected a whole video of {declared} bytes, found it cut off after {found}; "
            f"{_RECODE}"
        )


def _declared_size(file: BinaryIO) -> int | None:
    """The least size of the file by its header, None where that tells none."""
    magic = file.read(4)
    if magic == _RIFF:
        return 8 + int.from_bytes(file.read(4), "little")
    if magic != _MATROSKA:
        return None
    file.seek(_read_matroska_size(file) or 0, io.SEEK_CUR)
    if file.read(4) != _MATROSKA_SEGMENT:
        return None
    size = _read_matroska_size(file)
    return None if size is None else file.tell() + size


def _whole_packets(file: BinaryIO, found: int) -> int | None:
    """The least size of a transport stream with the packet begun last, None for other files."""
    for position, size in _PACKET_SIZES.items():
        file.seek(0)
        start = file.read(2 * size)
        syncs = start[position::size]
        if len(syncs) == 2 and set(syncs) == {_SYNC_BYTE}:
            return -(-found // size) * size
    return None


def _read_matroska_size(file: BinaryIO) -> int | None:
    """Reads a length of one to eight bytes, None for the reserved value that means unknown."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    num_more = 8 - first[0].bit_length()
    bits = 7 * (num_more + 1)
    value = int.from_bytes(first + file.read(num_more)) & ((1 << bits) - 1)
    return None if value == (1 << bits) - 1 else value
