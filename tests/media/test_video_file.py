import os
import sys
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest

from mavos_jax.media.sequence import open_frames

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
        ("clip.ts", "libx264", {}),
        ("clip.m2ts", "libx264", {}),
    ],
)
def test_a_video_that_is_cut_off_is_refused_at_once(tmp_path, name, codec, options):
    path = write_video(tmp_path / name, codec=codec, **options)
    assert len(list(open_frames(path))) == NUM_FRAMES
    os.truncate(path, path.stat().st_size * 6 // 10)
    with pytest.raises(ValueError, match=rf"{name}: expected .* cut off .*ffmpeg") as caught:
        open_frames(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("codec", ["libx264", "flv1"])
@pytest.mark.parametrize("is_whole_packet", [False, True])
def test_a_video_without_an_index_that_is_cut_off_is_refused_in_the_end(
    tmp_path, codec, is_whole_packet
):
    path = write_video(tmp_path / "clip.flv", codec=codec)
    assert len(list(open_frames(path))) == NUM_FRAMES
    with av.open(str(path)) as container:
        positions = [packet.pos for packet in container.demux(video=0)]
    end = positions[18]
    assert end is not None
    os.truncate(path, end - (0 if is_whole_packet else 40))
    frames = []
    with pytest.raises(ValueError, match=r"clip\.flv: expected .* cut off .*ffmpeg") as caught:
        frames.extend(open_frames(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["clip.flv", "clip.mkv", "clip.mp4", "clip.ts"])
def test_sound_longer_than_the_pictures_is_no_cut(tmp_path, name):
    path = tmp_path / name
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=Fraction(25))
        stream.height, stream.width, stream.pix_fmt = *SIZE, "yuv420p"
        sound: Any = container.add_stream("aac", rate=44100)
        for _ in range(NUM_FRAMES):
            picture = np.zeros((*SIZE, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
        for index in range(100):
            samples = np.zeros((1, 1024), np.float32)
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 44100, 1024 * index
            container.mux(sound.encode(frame))
        container.mux(sound.encode())
    assert len(list(open_frames(path))) == NUM_FRAMES


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
    with pytest.raises(ValueError, match=r"not installed; pip install av,"):
        open_frames(path)
