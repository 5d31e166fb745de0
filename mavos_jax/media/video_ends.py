"""Whether a video file is whole: its decoder takes a missing end for the end of the video."""

from __future__ import annotations

import io
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

RECODE = "restore it, or re-encode what is whole: ffmpeg -i BROKEN WHOLE.mp4"

_RIFF = b"RIFF"
_MATROSKA = b"\x1a\x45\xdf\xa3"
_MATROSKA_SEGMENT = b"\x18\x53\x80\x67"

_SYNC_BYTE = 0x47
_PACKET_SIZES = {0: 188, 4: 192}
"""Of MPEG transport streams, by the position of the first sync byte: .ts and .m2ts."""

_CONTAINERS = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf")
_COUNTS = {b"stsz": 8, b"trun": 4}
"""Boxes of .mp4 that say how many frames or samples follow, and where in them."""
_MOST_DEPTH = 6
_MOST_PER_BYTE = 32
"""Samples in a byte of the file; the sparsest old sound has some ten."""

_DECLARING = ("flv", "matroska,webm")
"""Formats whose header declares a duration; others' is estimated, or checked by their index."""

_MICROSECONDS = 1_000_000
_NUM_TOLERATED = 4
_SLOWEST_RATE = 10


def require_declared_size(path: Path) -> None:
    """Raises ValueError if a Matroska, WebM, AVI or transport stream is shorter than it declares.

    Cut off, these have no index to compare with; a transport stream only shows an end inside a
    packet. An .mp4 may not declare more frames than fit into it: FFmpeg would make room for all.
    """
    found = path.stat().st_size
    with path.open("rb") as file:
        count = _largest_count(file, found)
        if count > _MOST_PER_BYTE * found:
            raise ValueError(
                f"{path}: expected a whole video, found {count} frames or samples declared in "
                f"{found} bytes; {RECODE}"
            )
        file.seek(0)
        declared = _declared_size(file) or _whole_packets(file, found)
    if declared is not None and found < declared:
        raise ValueError(
            f"{path}: expected a whole video of {declared} bytes, found it cut off after {found}; "
            f"{RECODE}"
        )


def require_whole_index(path: Path, stream: Any) -> None:
    """Raises ValueError if the index (of .mp4, .mov) names data beyond the end of the file."""
    entries = getattr(stream, "index_entries", ())  # PyAV below 16 does not tell
    file_size = path.stat().st_size
    num_whole = sum(entry.pos + entry.size <= file_size for entry in entries)
    if num_whole < len(entries):
        raise ValueError(
            f"{path}: expected a whole video, found it cut off at about frame {num_whole} of "
            f"{stream.frames or len(entries)}; {RECODE}"
        )


def require_declared_end(container: Any, end: Fraction, rate: Fraction | None) -> None:
    """Raises EOFError if the header declares a later end, in seconds, than the last packet's.

    That is the end of the last packet of any stream, for sound may outlast the pictures.
    """
    if container.format.name not in _DECLARING or container.duration is None:
        return
    declared = Fraction(container.duration, _MICROSECONDS)
    if end + _NUM_TOLERATED / (rate or _SLOWEST_RATE) < declared:
        raise EOFError(f"the end is at {float(end):.2f} of {float(declared):.2f} seconds")


def require_decodable_end(reopen: Callable[[], Any], index: int, start: int | None) -> None:
    """Decodes the end of stream ``index`` without threads, which hide the last packets' errors.

    It begins at the picture at time ``start``, in the stream's units, or else at the first. PyAV
    raises an error of its own if the end is damaged.
    """
    with reopen() as container:
        stream = container.streams[index]
        stream.thread_type = "SLICE"
        if start is not None:
            container.seek(start, stream=stream)
        for packet in container.demux(stream):
            packet.decode()


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


def _largest_count(file: BinaryIO, end: int, depth: int = 0) -> int:
    """The most samples that a table of an .mp4 declares, 0 for other files."""
    largest = 0
    while (start := file.tell()) + 8 <= end and depth < _MOST_DEPTH:
        size, kind = int.from_bytes(file.read(4)), file.read(4)
        if size == 1:
            size = int.from_bytes(file.read(8))
        stop = min(start + size, end) if size else end
        if stop <= start:
            break
        if kind in _CONTAINERS:
            largest = max(largest, _largest_count(file, stop, depth + 1))
        elif kind in _COUNTS:
            file.seek(_COUNTS[kind], io.SEEK_CUR)
            largest = max(largest, int.from_bytes(file.read(4)))
        file.seek(stop)
    return largest


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
