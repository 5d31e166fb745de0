"""Video files, decoded with PyAV (extra ``video``)."""

import codecs
import contextlib
import dataclasses
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from mavos_jax.media import video_container
from mavos_jax.media.pictures import Size, describe_size
from mavos_jax.media.video_container import RECODE, Turn

_PICTURES = re.compile(r"image2|.*_pipe|tty|bin|xbin|adf|idf")  # FFmpeg's pictures, and texts
_CONTROL = bytes({*range(32)} - set(b"\t\n\r\f\x1b"))
_TEXT_HEADED = b"YUV4MPEG2"
_READING_ERRORS = (ArithmeticError, LookupError, MemoryError, UnicodeError)  # of PyAV


@dataclasses.dataclass(frozen=True)
class VideoFile:
    """The frames of one stream as players show them, named 00000, 00001, ...; never rescaled."""

    names = ()  # frames have numbers only

    path: Path
    size: Size  # height and width of every frame as shown, in pixels
    declared: int | None  # number of frames by the header; with an edit list there may be fewer
    frame_rate: Fraction | None  # the mean number of frames per second, None if unknown
    stream: int = 0  # the index of the stream in the file
    start: int = 0  # frames to leave out at the beginning
    notes: tuple[str, ...] = ()  # what was chosen or done to the pictures, for the user

    @classmethod
    def open(cls, path: Path) -> "VideoFile":
        """Reads a file's index and its first frame; raises ValueError unless it is a video."""
        av = import_av(path)
        _require_no_text(path)
        video_container.require_declared_size(path)
        with _named_errors(av, path), _open(av, path) as container:
            if _PICTURES.fullmatch(container.format.name):
                raise ValueError(
                    f"{path}: expected a video, found a picture ({container.format.long_name}); "
                    f"give a video or a folder of pictures, such as {path.parent}"
                )
            number, left_out = video_container.choose_stream(container, path)
            stream = container.streams[number]
            video_container.require_whole_index(path, stream)
            frame = next(iter(container.decode(stream)), None)
            if frame is None:
                raise ValueError(f"{path}: expected frames, found a video with none; {RECODE}")
            turn = Turn.of(path, frame)
            size = turn.size(frame.height, frame.width)
            looks = [f"{size[1]}x{size[0]}", *video_container.describe_looks(turn, stream, frame)]
            count = f"{stream.frames or 'unknown'} frames"
        note = f"video: {count} of stream {number} ({', '.join(looks)})"
        note = "; ".join([note, *(f"{words}, left out" for words in left_out)])
        notes = (note,) if left_out or len(looks) > 1 else ()
        rate = stream.average_rate or None
        return cls(path, size, stream.frames or None, rate, number, notes=notes)

    @property
    def origin(self) -> str:
        """The file."""
        return str(self.path)

    @property
    def num_frames(self) -> int | None:
        """The number of frames from the start on that the file declares, if any."""
        return None if self.declared is None else self.declared - self.start

    def name(self, index: int) -> str:
        """The frame's number in the file, padded to five digits."""
        return f"{self.start + index:05d}"

    def starting_at(self, index: int) -> "VideoFile":
        """The same file without its first ``index`` frames."""
        return dataclasses.replace(self, start=self.start + index)

    def __iter__(self) -> Iterator[np.ndarray]:
        av = import_av(self.path)
        index = 0
        with contextlib.ExitStack() as stack:
            with _named_errors(av, self.path):
                container = stack.enter_context(_open(av, self.path))
            frames = _decode(container, container.streams[self.stream])
            # A frame's own converter would start threads for every frame.
            convert = av.video.reformatter.VideoReformatter().reformat
            while True:
                try:
                    frame = next(frames, None)
                    if frame is None:
                        break
                    is_corrupt = frame.is_corrupt
                    turn = Turn.of(self.path, frame)
                    size = turn.size(frame.height, frame.width)
                    is_shown = index >= self.start and size == self.size and not is_corrupt
                    pixels = convert(frame, format="rgb24").to_ndarray() if is_shown else None
                except (av.FFmpegError, EOFError, *_READING_ERRORS) as error:
                    raise ValueError(self._damaged(index, _describe(error))) from error
                if is_corrupt:
                    raise ValueError(self._damaged(index, "incomplete data"))
                if size != self.size:
                    raise ValueError(
                        f"{self.path}: expected {describe_size(self.size)} as frame 0, found "
                        f"{describe_size(size)} at frame {index}; split the video there, or "
                        "re-encode it at one size"
                    )
                index += 1
                if pixels is not None:
                    yield turn(pixels)
        if index <= self.start:
            raise ValueError(
                f"{self.path}: expected a frame {self.start} to start at, found {index} frames; "
                "start earlier"
            )

    def _damaged(self, index: int, found: str) -> str:
        return (
            f"{self.path}: expected a whole video, found it cut off or damaged at frame {index} "
            f"({found}); {RECODE}"
        )


def import_av(path: Path) -> ModuleType:
    """Imports PyAV, which only video files need; raises ValueError if it is not installed."""
    try:
        import av
    except ImportError:
        raise ValueError(
            f"{path}: expected PyAV for video files, found it not installed; "
            "pip install av, or use folders of pictures"
        ) from None
    return av


def av_url(path: Path) -> str:
    """Names a file to FFmpeg, to which a name before a colon is a protocol."""
    return f"file:{path}"


def _open(av: ModuleType, path: Path) -> Any:
    options = {"protocol_whitelist": "file"}  # playlists must not reach beyond this machine
    return av.open(av_url(path), container_options=options, metadata_errors="replace")


def _require_no_text(path: Path) -> None:
    """Raises for a text: FFmpeg would draw it, or wait forever for a playlist's files."""
    with path.open("rb") as file:
        head = file.read(1024)
    if head and not head.startswith(_TEXT_HEADED) and head == head.translate(None, _CONTROL):
        # A letter of several bytes may be cut in two.
        with contextlib.suppress(UnicodeDecodeError):
            codecs.getincrementaldecoder("utf-8")().decode(head)
            raise ValueError(f"{path}: expected a video, found a text; give the video itself")


@contextlib.contextmanager
def _named_errors(av: ModuleType, path: Path) -> Iterator[None]:
    try:
        yield
    except (av.FFmpegError, *_READING_ERRORS) as error:
        raise ValueError(
            f"{path}: expected a video, found a file that is cut off or no video "
            f"({_describe(error)}); {RECODE}"
        ) from error


def _describe(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _decode(container: Any, stream: Any) -> Iterator[Any]:
    """Decodes a stream; raises EOFError if the file ends inside a packet or too early."""
    decoder = stream.codec_context
    decoder.thread_count = 1  # more name damage late, and in the last frames often never
    if decoder.name == "hevc":  # else it leaves out what refers to a damaged frame
        decoder.options = {"err_detect": "explode"}
    end, is_cut = Fraction(0), False
    for packet in container.demux():
        if packet.size:
            is_cut = packet.is_corrupt
        if packet.pts is not None and packet.time_base is not None:
            end = max(end, (packet.pts + (packet.duration or 0)) * packet.time_base)
        if packet.stream.index == stream.index:
            yield from packet.decode()
    if is_cut:  # decoders may keep quiet about a last packet
        raise EOFError("the last data are incomplete")
    video_container.require_declared_end(container, end, stream.average_rate)
