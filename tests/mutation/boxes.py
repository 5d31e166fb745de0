"""Sound video files, and damage to the boxes of MP4, whose sizes fit again or not."""

from __future__ import annotations

import dataclasses
import random
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from mutation.changes import change_bytes, change_order, extreme_number, put_number
from video_files import add_stream, encode

SIZE = (32, 48)
NUM_FRAMES = 5

_FOLDERS = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"moof", b"traf", b"dinf")
_KINDS = (b"free", b"tkhd", b"stsd", b"stts", b"stsz", b"stco", b"ctts", b"elst", b"moov", b"mdat")
_MATRIX_START, _MATRIX_END = 40, 76
"""Where the display matrix lies in the content of a track's header (version 0)."""
_ONE = 1 << 16
_MATRICES = (
    (0, _ONE, 0, -_ONE, 0, 0, 0, 0, 1 << 30),
    (-_ONE, 0, 0, 0, -_ONE, 0, 0, 0, 1 << 30),
    (-_ONE, 0, 0, 0, _ONE, 0, 0, 0, 1 << 30),
    (46_341, 46_341, 0, -46_341, 46_341, 0, 0, 0, 1 << 30),
    (0, 0, 0, 0, 0, 0, 0, 0, 0),
    (_ONE // 2, 0, 0, 0, _ONE, 0, 0, 0, 1 << 30),
)


@dataclasses.dataclass
class Box:
    """A box: its kind, and its content or the boxes in it."""

    kind: bytes
    content: bytes | list[Box]


def sound_videos() -> dict[str, bytes]:
    """Writes videos of five frames in usual containers, by a word and the suffix."""
    return {
        "h264 mp4": _write_video("mp4", "libx264"),
        "faststart mp4": _write_video("mp4", "libx264", movflags="faststart"),
        "fragmented mp4": _write_video("mp4", "libx264", movflags="frag_keyframe+empty_moov"),
        "mpeg4 mov": _write_video("mov", "mpeg4"),
        "mjpeg mov": _write_video("mov", "mjpeg", pix_fmt="yuvj420p"),
    }


def other_videos() -> dict[str, bytes]:
    """Writes videos in containers that have no boxes, by a word and the suffix."""
    return {
        "h264 mkv": _write_video("matroska", "libx264"),
        "mpeg4 avi": _write_video("avi", "mpeg4"),
        "h264 ts": _write_video("mpegts", "libx264"),
        "vp9 webm": _write_video("webm", "libvpx-vp9"),
        "flv1 flv": _write_video("flv", "flv1"),
        "gif gif": _write_video("gif", "gif", pix_fmt="rgb8"),
    }


def _write_video(kind: str, codec: str, *, pix_fmt: str = "yuv420p", **options: str) -> bytes:
    """Writes a video whose frames grow brighter."""
    pictures = np.zeros((NUM_FRAMES, *SIZE, 3), np.uint8)
    for index, picture in enumerate(pictures):
        picture[:] = 40 * index
        picture[:, : 8 * index + 8, index % 3] += 30
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "clip"
        with av.open(str(file), "w", format=kind, options=options) as container:
            stream = add_stream(container, codec, SIZE, pix_fmt)
            stream.codec_context.thread_count = 1
            encode(container, stream, pictures)
        return file.read_bytes()


def change_video(rng: random.Random, data: bytes) -> bytes:
    """Damages a file of boxes: two thirds of the time in one of its boxes."""
    if rng.random() < 0.35:
        return change_bytes(rng, data)
    boxes = _read_boxes(data)
    places = list(_places(boxes))
    siblings, index = rng.choice(places)
    match rng.randrange(6):
        case 0:
            box, content = rng.choice(list(_leaves(boxes)))
            box.content = change_bytes(rng, content)
        case 1:
            box, content = rng.choice(list(_leaves(boxes)))
            box.content = _put_fields(rng, content)
        case 2 if rng.random() < 0.3:
            extra = Box(rng.choice(_KINDS), rng.randbytes(rng.choice((0, 4, 40))))
            siblings.insert(index, extra)
        case 2:
            siblings[:] = change_order(rng, siblings)
        case 3:
            matrix = struct.pack(">9i", *rng.choice(_MATRICES))
            for box, content in _leaves(boxes):
                if box.kind == b"tkhd":
                    box.content = content[:_MATRIX_START] + matrix + content[_MATRIX_END:]
        case 4:
            siblings[index].kind = rng.choice((*_KINDS, rng.randbytes(4)))
        case _:  # the size of a box does not fit what is in it
            written = _write_boxes(boxes)
            return put_number(rng, written, written.index(_write_boxes([siblings[index]])), 4)
    return _write_boxes(boxes)


def _read_boxes(data: bytes) -> list[Box]:
    boxes, position = [], 0
    while position + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, position)
        end = position + size if size >= 8 else len(data)
        content = data[position + 8 : end]
        boxes.append(Box(kind, _read_boxes(content) if kind in _FOLDERS else content))
        position = end
    return boxes


def _write_boxes(boxes: list[Box]) -> bytes:
    """Writes boxes with the sizes that they have."""
    written = []
    for box in boxes:
        data = box.content if isinstance(box.content, bytes) else _write_boxes(box.content)
        written.append(struct.pack(">I", len(data) + 8) + box.kind + data)
    return b"".join(written)


def _places(boxes: list[Box]) -> Iterator[tuple[list[Box], int]]:
    """Yields every box as the list it is in and its index there."""
    for index, box in enumerate(boxes):
        yield boxes, index
        if isinstance(box.content, list):
            yield from _places(box.content)


def _leaves(boxes: list[Box]) -> Iterator[tuple[Box, bytes]]:
    """Yields every box that has no others in it, and its content."""
    for siblings, index in _places(boxes):
        content = siblings[index].content
        if isinstance(content, bytes):
            yield siblings[index], content


def _put_fields(rng: random.Random, content: bytes) -> bytes:
    """Replaces one of the numbers of a box, or its whole content if that is short."""
    if len(content) < 8:
        return extreme_number(rng, 8)
    position = 4 * rng.randrange(min(len(content) // 4, 40))
    return put_number(rng, content, position, rng.choice((2, 4, 4, 8)))
