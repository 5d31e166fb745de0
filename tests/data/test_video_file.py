import os
import sys
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest

from mavos_jax.data.frames import open_frames

SIZE = (48, 64)
NUM_FRAMES = 24


def write_video(path, num_frames=NUM_FRAMES, codec="libx264", size=SIZE, **options):
    rng = np.random.default_rng(0)
    height, width = size
    with av.open(str(path), "w", options=options) as container:
        stream: Any = container.add_stream(codec, rate=Fraction(25))
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        for index in range(num_frames):
            picture = rng.integers(0, 30, (height, width, 3), np.uint8) + np.uint8(8 * index)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def test_frames_of_a_video(tmp_path):
    frames = open_frames(write_video(tmp_path / "clip.mp4"))
    assert (frames.size, frames.num_frames, frames.frame_rate) == (SIZE, NUM_FRAMES, 25)
    assert [frames.name(i) for i in (0, 23)] == ["00000", "00023"]
    pictures = list(frames)
    assert len(pictures) == NUM_FRAMES
    assert {(p.shape, p.dtype) for p in pictures} == {((*SIZE, 3), np.dtype(np.uint8))}
    means = [p.mean() for p in pictures]
    assert means == sorted(means)  # each is brighter than the one before
    np.testing.assert_array_equal(next(iter(frames)), pictures[0])  # starts anew every time


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("index_last.mp4", "libx264", {}),
        ("index_first.mp4", "libx264", {"movflags": "faststart"}),
        ("clip.mov", "libx264", {}),
        ("clip.mkv", "libx264", {}),
        ("clip.webm", "libvpx-vp9", {}),
        ("clip.avi", "mpeg4", {}),
    ],
)
def test_a_video_that_is_cut_off_is_refused_at_once(tmp_path, name, codec, options):
    path = write_video(tmp_path / name, codec=codec, **options)
    assert len(list(open_frames(path))) == NUM_FRAMES
    os.truncate(path, path.stat().st_size * 6 // 10)
    with pytest.raises(ValueError, match=rf"{name}: expected .* cut off .*ffmpeg") as caught:
        open_frames(path)
    assert "\n" not in str(caught.value)


def test_damage_inside_a_video_is_named_when_it_is_reached(tmp_path):
    path = write_video(tmp_path / "clip.mp4", codec="mpeg4")
    with av.open(str(path)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0)]
    with path.open("r+b") as file:
        file.seek(packets[9][0])
        file.write(bytes(packets[9][1]))
    frames = iter(open_frames(path))
    for _ in range(9):
        next(frames)
    with pytest.raises(ValueError, match=r"clip\.mp4: .* cut off or damaged at frame 9 ") as error:
        next(frames)
    assert "\n" not in str(error.value)


def test_a_video_whose_frames_change_size_is_refused(tmp_path):
    # Two raw streams in one file are one stream to the decoder.
    parts = [
        write_video(tmp_path / f"{height}.h264", num_frames=4, size=(height, 64))
        for height in (48, 32)
    ]
    path = tmp_path / "changing.h264"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    frames = iter(open_frames(path))
    for _ in range(4):
        next(frames)
    with pytest.raises(ValueError, match=r"expected 48 x 64 .* as frame 0, found 32 x 64 .* 4;"):
        next(frames)


def test_files_without_video_are_refused(tmp_path):
    text = tmp_path / "notes.mp4"
    text.write_text("hello")
    with pytest.raises(ValueError, match=r"notes\.mp4: expected a video, found"):
        open_frames(text)
    sound = tmp_path / "sound.wav"
    with av.open(str(sound), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        samples = np.zeros((1, 800), np.int16)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(ValueError, match=r"sound\.wav: expected a video stream, found none"):
        open_frames(sound)


def test_a_missing_extra_is_named(tmp_path, monkeypatch):
    path = write_video(tmp_path / "clip.mp4", num_frames=1)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ValueError, match=r"pip install 'mavos_jax\[video\]'"):
        open_frames(path)
