"""What a video's container says: which stream players show, which side is up, where it ends."""

import io
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

_NUM_LOOKED_FOR = 2
_DEFAULT, _COVERS = 0x1, 0x400 | 0x800  # FFmpeg's dispositions: default; pictures or thumbnails
_HDR = (16, 18)  # FFmpeg's transfer characteristics of HDR10 and hybrid log-gamma
_MATRIX_NAME = "DISPLAYMATRIX"
_MATRIX = struct.Struct("=9i")
_SLANT = 0.01  # the share of another direction that a straight axis of a display matrix may have


class Turn(NamedTuple):
    """How stored pixels become what is shown: axes are swapped first, then flipped."""

    swaps_axes: bool = False
    flips_rows: bool = False
    flips_columns: bool = False

    @classmethod
    def of(cls, path: Path, frame: Any) -> "Turn":
        """Reads a PyAV frame's display matrix; raises ValueError unless it turns by quarters."""
        data = next((d for d in frame.side_data if d.type.name == _MATRIX_NAME), None)
        if data is None:
            return cls()
        # A stored column x and row y are shown at (a x + c y, b x + d y).
        a, b, _, c, d, *_ = _MATRIX.unpack(bytes(data)[: _MATRIX.size])
        straight, crossed = max(abs(a), abs(d)), max(abs(b), abs(c))
        if min(straight, crossed) > _SLANT * max(straight, crossed):
            raise ValueError(
                f"{path}: expected a video that is shown upright or in quarter turns, found a turn "
                "by no multiple of 90 degrees; turn its pixels: ffmpeg -i TURNED UPRIGHT.mp4"
            )
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
    """Chooses the stream that players show, no cover or single picture; describes the others."""
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


def describe_looks(turn: Turn, stream: Any, frame: Any) -> list[str]:
    """Describes a frame's turn, and what players would do to its pixels that is not done here."""
    ratio = stream.sample_aspect_ratio or Fraction(1)
    is_hdr = getattr(frame, "color_trc", None) in _HDR  # older PyAV does not tell
    words = (
        _WORDS[turn],
        "" if ratio == 1 else f"pixels {ratio.numerator}:{ratio.denominator} wide as stored",
        "HDR without tone mapping" if is_hdr else "",
        "interlaced" * frame.interlaced_frame,
    )
    return [word for word in words if word]


def _single_pictures(container: Any, streams: list[Any]) -> set[int]:
    """The indices of streams that hold a single picture, counted if no header tells."""
    counts = {stream.index: stream.frames for stream in streams}
    uncounted = [stream for stream in streams if not stream.frames]
    if uncounted:
        for packet in container.demux(uncounted):
            counts[packet.stream.index] += packet.size > 0
            if all(counts[stream.index] >= _NUM_LOOKED_FOR for stream in uncounted):
                break
        container.seek(0)
    return {index for index, count in counts.items() if count <= 1}


RECODE = "restore it, or re-encode what is whole: ffmpeg -i BROKEN WHOLE.mp4"

_RIFF = b"RIFF"
_MATROSKA = b"\x1a\x45\xdf\xa3"
_MATROSKA_SEGMENT = b"\x18\x53\x80\x67"
_SYNC_BYTE = 0x47
_PACKET_SIZES = {0: 188, 4: 192}  # of .ts and .m2ts, by the position of the first sync byte
_CONTAINERS = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf")
_COUNTS = {b"stsz": 8, b"trun": 4}  # boxes of .mp4 that count frames or samples, and where in them
_MOST_DEPTH = 6
_MOST_PER_BYTE = 32  # samples in a byte of the file; the sparsest old sound has some ten
_DECLARING = ("flv", "matroska,webm")  # formats whose header declares a duration, not an estimate
_MICROSECONDS = 1_000_000
_NUM_TOLERATED = 4
_SLOWEST_RATE = 10


def require_declared_size(path: Path) -> None:
    """Raises ValueError if a video is shorter than it declares, or declares too many frames."""
    found = path.stat().st_size
    with path.open("rb") as file:
        count = _largest_count(file, found)
        if count > _MOST_PER_BYTE * found:  # FFmpeg would make room for all
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
    """Raises EOFError if the header declares a later end than that of any stream's last packet."""
    if container.format.name not in _DECLARING or container.duration is None:
        return
    declared = Fraction(container.duration, _MICROSECONDS)
    if end + _NUM_TOLERATED / (rate or _SLOWEST_RATE) < declared:
        raise EOFError(f"the end is at {float(end):.2f} of {float(declared):.2f} seconds")


def _declared_size(file: BinaryIO) -> int | None:
    """The least size of the file by its header, if that tells."""
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
    """The least size of a transport stream with its last packet; None for other files."""
    for position, size in _PACKET_SIZES.items():
        file.seek(0)
        # Two could be chance: a GIF begins with this byte, too.
        if file.read(5 * size)[position::size] == 5 * bytes([_SYNC_BYTE]):
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
