"""Sound video files, and damage to the boxes of MP4, whose sizes fit again or not."""

from __future__ import annotations

import random
import struct
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mutation.changes import change_bytes, change_order, extreme_number, put_number

SIZE = (32, 48)
"""Height and width of every sound video."""
NUM_FRAMES = 5

_FOLDERS = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"moof", b"traf", b"dinf")
_KINDS = (b"free", b"tkhd", b"stsd", b"stts", b"stsz", b"stco", b"ctts", b"elst", b"moov", b"mdat")
_MATRIX = 40
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


class Box(NamedTuple):
    """A box: its kind, and its content or the boxes in it."""

    kind: bytes
    content: bytes | list[Box]


def sound_videos() -> dict[str, bytes]:
    """Writes videos of five frames in usual containers, by suffix and a word."""
    return {
        "h264 mp4": write_video("mp4", "libx264"),
        "faststart mp4": write_video("mp4", "libx264", movflags="faststart"),
        "fragmented mp4": write_video("mp4", "libx264", movflags="frag_keyframe+empty_moov"),
        "mpeg4 mov": write_video("mov", "mpeg4"),
        "mjpeg mov": write_video("mov", "mjpeg", pix_fmt="yuvj420p"),
    }


def other_videos() -> dict[str, bytes]:
    """Writes videos in containers that have no boxes, by suffix and a word."""
    return {
        "h264 mkv": write_video("matroska", "libx264"),
        "mpeg4 avi": write_video("avi", "mpeg4"),
        "h264 ts": write_video("mpegts", "libx264"),
        "vp9 webm": write_video("webm", "libvpx-vp9"),
        "flv1 flv": write_video("flv", "flv1"),
        "gif gif": write_video("gif", "gif", pix_fmt="rgb8"),
    }


def write_video(kind: str, codec: str, *, pix_fmt: str = "yuv420p", **options: str) -> bytes:
    """Writes a video whose frames grow brighter."""
    import av

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "clip"
        with av.open(str(file), "w", format=kind, options=options) as container:
            _write_frames(container, codec, pix_fmt)
        return file.read_bytes()


def _write_frames(container: Any, codec: str, pix_fmt: str) -> None:
    import av

    height, width = SIZE
    stream: Any = container.add_stream(codec, rate=Fraction(25))
    stream.height, stream.width, stream.pix_fmt = height, width, pix_fmt
    stream.codec_context.thread_count = 1
    for index in range(NUM_FRAMES):
        picture = np.full((height, width, 3), 40 * index, np.uint8)
        picture[:, : 8 * index + 8, index % 3] += 30
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
    container.mux(stream.encode())


def change_video(rng: random.Random, data: bytes) -> bytes:
    """Damages a file of boxes: two thirds of the time in one of its boxes."""
    if rng.random() < 0.35:
        return change_bytes(rng, data)
    boxes = read_boxes(data)
    match rng.randrange(6):
        case 0:
            return write_boxes(_changed(rng, boxes, change_bytes))
        case 1:
            return write_boxes(_changed(rng, boxes, _put_fields))
        case 2:
            return write_boxes(_changed_folder(rng, boxes))
        case 3:
            matrix = struct.pack(">9i", *rng.choice(_MATRICES))
            return write_boxes(_put_matrix(boxes, matrix))
        case 4:
            return write_boxes(_renamed(rng, boxes))
        case _:  # the size of a box does not fit what is in it
            written = write_boxes(boxes)
            position = rng.choice(_positions(boxes))
            return put_number(rng, written, position, 4)


def read_boxes(data: bytes) -> list[Box]:
    """Reads boxes, and those in them."""
    boxes, position = [], 0
    while position + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, position)
        end = position + size if size >= 8 else len(data)
        content = data[position + 8 : end]
        boxes.append(Box(kind, read_boxes(content) if kind in _FOLDERS else content))
        position = end
    return boxes


def write_boxes(boxes: list[Box]) -> bytes:
    """Writes boxes with the sizes that they have."""
    written = []
    for kind, content in boxes:
        data = content if isinstance(content, bytes) else write_boxes(content)
        written.append(struct.pack(">I", len(data) + 8) + kind + data)
    return b"".join(written)


def _leaves(boxes: list[Box]) -> int:
    return sum(1 if isinstance(b.content, bytes) else _leaves(b.content) for b in boxes)


def _changed(rng: random.Random, boxes: list[Box], change: Any) -> list[Box]:
    """Damages the content of one box, which has no others in it."""
    chosen = rng.randrange(_leaves(boxes))

    def visit(boxes: list[Box]) -> list[Box]:
        nonlocal chosen
        result = []
        for kind, content in boxes:
            if isinstance(content, list):
                result.append(Box(kind, visit(content)))
                continue
            result.append(Box(kind, change(rng, content) if chosen == 0 else content))
            chosen -= 1
        return result

    return visit(boxes)


def _put_fields(rng: random.Random, content: bytes) -> bytes:
    """Replaces one of the numbers of 32 bits, or counts and tables as a whole."""
    if len(content) < 8:
        return extreme_number(rng, 8)
    position = 4 * rng.randrange(min(len(content) // 4, 40))
    return put_number(rng, content, position, rng.choice((2, 4, 4, 8)))


def _changed_folder(rng: random.Random, boxes: list[Box]) -> list[Box]:
    """Removes, repeats or swaps boxes, or puts one in, somewhere in the tree."""
    inner = [i for i, box in enumerate(boxes) if isinstance(box.content, list) and box.content]
    if inner and rng.random() < 0.75:
        chosen = rng.choice(inner)
        content = boxes[chosen].content
        assert isinstance(content, list)
        changed = Box(boxes[chosen].kind, _changed_folder(rng, content))
        return [*boxes[:chosen], changed, *boxes[chosen + 1 :]]
    if rng.random() < 0.3:
        extra = Box(rng.choice(_KINDS), rng.randbytes(rng.choice((0, 4, 40))))
        position = rng.randint(0, len(boxes))
        return [*boxes[:position], extra, *boxes[position:]]
    return change_order(rng, boxes)


def _put_matrix(boxes: list[Box], matrix: bytes) -> list[Box]:
    def put(box: Box) -> Box:
        if isinstance(box.content, list):
            return Box(box.kind, _put_matrix(box.content, matrix))
        if box.kind != b"tkhd":
            return box
        content = box.content
        return Box(box.kind, content[:_MATRIX] + matrix + content[_MATRIX + len(matrix) :])

    return [put(box) for box in boxes]


def _renamed(rng: random.Random, boxes: list[Box]) -> list[Box]:
    """Gives a box another kind."""
    chosen = rng.randrange(len(boxes))
    kind, content = boxes[chosen]
    if isinstance(content, list) and content and rng.random() < 0.8:
        box = Box(kind, _renamed(rng, content))
    else:
        box = Box(rng.choice((*_KINDS, rng.randbytes(4))), content)
    return [*boxes[:chosen], box, *boxes[chosen + 1 :]]


def _positions(boxes: list[Box], start: int = 0) -> list[int]:
    """Where the boxes begin, at any depth."""
    found = []
    for box in boxes:
        found.append(start)
        if isinstance(box.content, list):
            found += _positions(box.content, start + 8)
        start += len(write_boxes([box]))
    return found
