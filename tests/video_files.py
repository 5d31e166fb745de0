"""Video files for the tests, as cameras and editors write them."""

import struct
from fractions import Fraction
from typing import Any

import av
import numpy as np

SIZE = (48, 64)
NUM_FRAMES = 24
QUARTERS = np.zeros((*SIZE, 3), np.uint8)
"""A picture that shows which side is up, and whether it is mirrored."""
QUARTERS[:24, :32], QUARTERS[:24, 32:], QUARTERS[24:, :32] = (220, 30, 30), (30, 220, 30), 240


def add_stream(container, codec="libx264", size=SIZE, pix_fmt="yuv420p", rate: Any = 25) -> Any:
    stream: Any = container.add_stream(codec, rate=Fraction(rate))
    (stream.height, stream.width), stream.pix_fmt = size, pix_fmt
    stream.codec_context.thread_count = 1  # more write other bytes
    return stream


def add_sound(container):
    """Adds a stream of sound; a function that writes some frames of silence into it."""
    stream = container.add_stream("aac", rate=44100)

    def write(count):
        for index in range(count):
            silence = np.zeros((1, 1024), np.float32)
            frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 44100, 1024 * index
            container.mux(stream.encode(frame))
        container.mux(stream.encode())

    return write


def encode(container, stream, pictures):
    for picture in pictures:
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        container.mux(stream.encode(frame.reformat(format=stream.pix_fmt)))
    container.mux(stream.encode())


def write_video(path, num_frames=NUM_FRAMES, codec="libx264", size=SIZE, **options):
    """Writes noise that gets brighter from frame to frame."""
    rng = np.random.default_rng(0)
    named = {key: options.pop(key) for key in ("pix_fmt", "rate") if key in options}
    with av.open(f"file:{path}", "w", options=options) as container:
        stream = add_stream(container, codec, size, **named)
        noise = (rng.integers(0, 30, (*size, 3), np.uint8) for _ in range(num_frames))
        encode(container, stream, (n + np.uint8(8 * i) for i, n in enumerate(noise)))
    return path


def write_quarters(path, num_frames=3, codec="libx264"):
    with av.open(f"file:{path}", "w") as container:
        encode(container, add_stream(container, codec), [QUARTERS] * num_frames)
    return path


def set_matrix(path, matrix):
    """Gives an .mp4 or .mov a display matrix (a, b, c, d): x, y is shown at ax + cy, bx + dy."""
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 4
    start += 4 + (32 if data[start] else 20) + 16
    a, b, c, d = (int(value * 65536) for value in matrix)
    struct.pack_into(">9i", data, start, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def remux(source, target):
    """Copies the first stream of a file into another container."""
    with av.open(str(source)) as reading, av.open(str(target), "w") as writing:
        stream = writing.add_stream_from_template(reading.streams.video[0])
        for packet in reading.demux(reading.streams.video[0]):
            if packet.size:
                packet.stream = stream
                writing.mux(packet)
    return target
