"""Sound video files, and damage to the boxes of MP4, whose sizes fit again or not."""

import dataclasses
import struct
import tempfile
from pathlib import Path

import av
import numpy as np
from mutation.changes import change_bytes, change_order, extreme_number, put_number
from video_files import add_stream, encode

SIZE = (32, 48)
NUM_FRAMES = 5

_FOLDERS = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"moof", b"traf", b"dinf")
_KINDS = (b"free", b"tkhd", b"stsd", b"stts", b"stsz", b"stco", b"ctts", b"elst", b"moov", b"mdat")
_ONE, _LAST = 1 << 16, 1 << 30
_MATRICES = (
    (0, _ONE, 0, -_ONE, 0, 0, 0, 0, _LAST),
    (-_ONE, 0, 0, 0, -_ONE, 0, 0, 0, _LAST),
    (-_ONE, 0, 0, 0, _ONE, 0, 0, 0, _LAST),
    (46_341, 46_341, 0, -46_341, 46_341, 0, 0, 0, _LAST),
    (0, 0, 0, 0, 0, 0, 0, 0, 0),
    (_ONE // 2, 0, 0, 0, _ONE, 0, 0, 0, _LAST),
)


@dataclasses.dataclass
class Box:
    """A box: its kind, and its content or the boxes in it."""

    kind: bytes
    content: "bytes | list[Box]"


def sound_videos():
    """Writes videos of five frames in usual containers, by a word and the suffix."""
    return {
        "h264 mp4": _write_video("mp4", "libx264"),
        "faststart mp4": _write_video("mp4", "libx264", movflags="faststart"),
        "fragmented mp4": _write_video("mp4", "libx264", movflags="frag_keyframe+empty_moov"),
        "mpeg4 mov": _write_video("mov", "mpeg4"),
        "mjpeg mov": _write_video("mov", "mjpeg", "yuvj420p"),
    }


def other_videos():
    """Writes videos in containers that have no boxes, by a word and the suffix."""
    return {
        "h264 mkv": _write_video("matroska", "libx264"),
        "mpeg4 avi": _write_video("avi", "mpeg4"),
        "h264 ts": _write_video("mpegts", "libx264"),
        "vp9 webm": _write_video("webm", "libvpx-vp9"),
        "flv1 flv": _write_video("flv", "flv1"),
        "gif gif": _write_video("gif", "gif", "rgb8"),
    }


def _write_video(kind, codec, pix_fmt="yuv420p", **options):
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


def change_video(rng, data):
    """Damages a file of boxes: two thirds of the time in one of its boxes."""
    if rng.random() < 0.35:
        return change_bytes(rng, data)
    boxes = _read_boxes(data)
    places = list(_places(boxes))
    siblings, index = rng.choice(places)
    leaves = [box for box in (one[i] for one, i in places) if isinstance(box.content, bytes)]
    leaf = rng.choice(leaves)
    match rng.randrange(6):
        case 0:
            leaf.content = change_bytes(rng, leaf.content)
        case 1 if len(leaf.content) < 8:
            leaf.content = extreme_number(rng, 8)
        case 1:
            position = 4 * rng.randrange(min(len(leaf.content) // 4, 40))
            leaf.content = put_number(rng, leaf.content, position, rng.choice((2, 4, 4, 8)))
        case 2 if rng.random() < 0.3:
            siblings.insert(index, Box(rng.choice(_KINDS), rng.randbytes(rng.choice((0, 4, 40)))))
        case 2:
            siblings[:] = change_order(rng, siblings)
        case 3:
            matrix = struct.pack(">9i", *rng.choice(_MATRICES))
            for box in leaves:
                if box.kind == b"tkhd":
                    # Its place in a track's header of version 0.
                    box.content = box.content[:40] + matrix + box.content[76:]
        case 4:
            siblings[index].kind = rng.choice((*_KINDS, rng.randbytes(4)))
        case _:  # the size of a box does not fit what is in it
            written = _write_boxes(boxes)
            return put_number(rng, written, written.index(_write_boxes([siblings[index]])), 4)
    return _write_boxes(boxes)


def _read_boxes(data):
    boxes, position = [], 0
    while position + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, position)
        end = position + size if size >= 8 else len(data)
        content = data[position + 8 : end]
        boxes.append(Box(kind, _read_boxes(content) if kind in _FOLDERS else content))
        position = end
    return boxes


def _write_boxes(boxes):
    """Writes boxes with the sizes that they have."""
    written = []
    for box in boxes:
        data = box.content if isinstance(box.content, bytes) else _write_boxes(box.content)
        written.append(struct.pack(">I", len(data) + 8) + box.kind + data)
    return b"".join(written)


def _places(boxes):
    """Yields every box as the list it is in and its index there."""
    for index, box in enumerate(boxes):
        yield boxes, index
        if isinstance(box.content, list):
            yield from _places(box.content)
