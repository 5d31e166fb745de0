import os
import struct
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from refusals import refuse
from video_files import NUM_FRAMES, SIZE, add_sound, add_stream, encode, write_video

from mavos_jax.media.frames import open_frames
from mavos_jax.media.video_file import VideoFile


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
    ("name", "options"),
    [
        *((name, {}) for name in ("clip.mp4", "clip.mov", "clip.mkv", "clip.ts", "clip.m2ts")),
        ("index_first.mp4", {"movflags": "faststart"}),
        ("clip.webm", {"codec": "libvpx-vp9"}),
        ("clip.avi", {"codec": "mpeg4"}),
    ],
)
def test_a_video_that_is_cut_off_is_refused_at_once(tmp_path, name, options):
    path = write_video(tmp_path / name, **options)
    assert len(list(open_frames(path))) == NUM_FRAMES
    os.truncate(path, path.stat().st_size * 6 // 10 | 1)  # inside a packet
    refuse(f"{name}: expected .* cut off .*ffmpeg", open_frames, path)


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
    refuse(r"clip\.flv: expected .* cut off .*ffmpeg", lambda: list(open_frames(path)))


@pytest.mark.parametrize("name", ["clip.flv", "clip.mkv", "clip.mp4", "clip.ts"])
def test_sound_longer_than_the_pictures_is_no_cut(tmp_path, name):
    with av.open(str(tmp_path / name), "w") as container:
        stream, write_sound = add_stream(container), add_sound(container)
        encode(container, stream, [np.zeros((*SIZE, 3), np.uint8)] * NUM_FRAMES)
        write_sound(100)
    assert len(list(open_frames(tmp_path / name))) == NUM_FRAMES


def test_sound_alone_is_refused(tmp_path):
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        add_sound(container)(1)
    refuse(r"sound\.mp4: expected a video stream, .* audio;", open_frames, tmp_path / "sound.mp4")


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
    refuse(r"clip\.mp4: .* damaged at frame 9 ", next, frames)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        *(("clip.mp4", {}), ("clip.mkv", {}), ("clip.mov", {"codec": "mpeg4"})),
        ("clip.mp4", {"movflags": "frag_keyframe+empty_moov"}),
        *(("clip.mp4", {"codec": codec, "crf": "20"}) for codec in ("libx265", "libsvtav1")),
    ],
)
@pytest.mark.parametrize("packet", [12, -1])
def test_damage_in_a_picture_is_named(tmp_path, name, options, packet):
    path = write_video(tmp_path / name, size=(240, 320), **options)
    with av.open(str(path)) as container:
        packets = [(p.pos or 0, p.size) for p in container.demux(video=0) if p.size]
    place, size = packets[packet]
    data, half = bytearray(path.read_bytes()), size // 2
    # In .mkv the packet's own header comes first.
    data[place + half : place + size] = b"\xff" * (size - half)
    path.write_bytes(data)
    refuse(f"{name}: .* damaged at frame", lambda: list(open_frames(path)))


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
    refuse("48 x 64 .* as frame 0, found 32 x 64 .* 4;", next, frames)


def test_a_missing_extra_is_named(tmp_path, monkeypatch):
    path = write_video(tmp_path / "clip.mp4", num_frames=1)
    monkeypatch.setitem(sys.modules, "av", None)
    refuse(r"clip\.mp4: .*not installed; pip install av,", open_frames, path)


@pytest.mark.parametrize(
    "name", ["12:30:05.mp4", "http:clip.mp4", "a%03d [*].mp4", "take:1/clip.mkv"]
)
def test_names_that_ffmpeg_would_take_for_something_else(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Path(name).parent.mkdir(exist_ok=True)
    assert len(list(open_frames(write_video(Path(name), num_frames=2)))) == 2


@pytest.mark.parametrize("path", ["pipe", "/dev/zero", "/dev/null"])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path, path):
    os.mkfifo(tmp_path / "pipe")
    refuse(f"{path}: .* a pipe or a device; save", open_frames, tmp_path / path)


@pytest.mark.parametrize(
    ("name", "data", "found"),
    [
        ("notes.mp4", b"hello", "found a text;"),
        # The extension alone makes FFmpeg draw it.
        ("notes.txt", "gr\u00fc\u00dfe ".encode() * 300, "found a text;"),
        ("list.m3u8", b"#EXTM3U\n#EXTINF:1,\nhttp://host/a.ts\n", "found a text;"),
        ("list.txt", b"ffconcat version 1.0\nfile '/etc/passwd'\n", "found a text;"),
        ("empty.mp4", b"", ""),
        ("noise.mp4", np.random.default_rng(0).bytes(5000), ""),
        ("boxes.mp4", b"\x00\x00\x00\x08moov" * 500, ""),
    ],
)
def test_what_is_no_video_is_refused(tmp_path, name, data, found):
    (tmp_path / name).write_bytes(data)
    refuse(f"{name}: expected a video.*{found}", open_frames, tmp_path / name)


@pytest.mark.parametrize(
    ("box", "fields", "flags"),
    [(b"stsz", (1, 1 << 25), "faststart"), (b"trun", (1 << 25,), "frag_keyframe+empty_moov")],
)
def test_more_frames_than_a_file_can_hold_are_refused_at_once(tmp_path, box, fields, flags):
    path = write_video(tmp_path / "clip.mp4", num_frames=3, movflags=flags)
    assert len(list(open_frames(path))) == 3
    data = bytearray(path.read_bytes())
    struct.pack_into(f">{len(fields)}I", data, data.index(box) + 8, *fields)
    path.write_bytes(data)
    refuse(rf"clip\.mp4: .* {1 << 25} frames .* {len(data)} bytes", open_frames, path)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("grey.mkv", {"codec": "ffv1", "pix_fmt": "gray"}),
        ("grey16.mkv", {"codec": "ffv1", "pix_fmt": "gray16le"}),
        ("ten_bits.mkv", {"codec": "ffv1", "pix_fmt": "yuv422p10le"}),
        ("alpha.mkv", {"codec": "ffv1", "pix_fmt": "yuva420p"}),
        ("argb.mov", {"codec": "qtrle", "pix_fmt": "argb"}),
        ("clip.gif", {"codec": "gif", "pix_fmt": "rgb8"}),
        ("clip.y4m", {"codec": "wrapped_avframe"}),
        ("clip.h264", {}),
        ("hourly.mp4", {"rate": Fraction(1, 3600)}),
        ("single.mp4", {"num_frames": 1}),
    ],
)
def test_videos_of_many_kinds(tmp_path, name, options):
    frames = open_frames(write_video(tmp_path / name, **({"num_frames": 6} | options)))
    pictures = list(frames)
    assert len(pictures) == options.get("num_frames", 6)
    assert frames.num_frames in (None, len(pictures))
    assert {(p.shape, p.dtype) for p in pictures} == {((*SIZE, 3), np.dtype(np.uint8))}
    for index, picture in enumerate(pictures):
        assert abs(picture.mean() - (14.5 + 8 * index)) < 8


def test_a_byte_is_not_taken_for_a_packet(tmp_path):
    pictures = [Image.fromarray(np.full(SIZE, 9 * i, np.uint8)) for i in range(3)]
    pictures[0].save(tmp_path / "clip.gif", save_all=True, append_images=pictures[1:])
    data = bytearray((tmp_path / "clip.gif").read_bytes())
    data[188] = data[0]  # where a transport stream's next packet would begin
    (tmp_path / "clip.gif").write_bytes(data)
    assert open_frames(tmp_path / "clip.gif").size == SIZE


@pytest.mark.parametrize(
    ("name", "times"), [("vfr.mkv", (0, 7, 8, 100, 5000)), ("late.mp4", (900, 901, 902, 903, 904))]
)
def test_frames_at_odd_times_come_in_their_order(tmp_path, name, times):
    with av.open(str(tmp_path / name), "w") as container:
        stream = add_stream(container)
        for index, time in enumerate(times):
            picture = np.full((*SIZE, 3), 40 * index, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    found = [round(float(frame.mean()) / 40) for frame in open_frames(tmp_path / name)]
    assert found == [0, 1, 2, 3, 4]


def test_frames_from_a_later_one_on(tmp_path):
    frames = open_frames(write_video(tmp_path / "clip.mp4", num_frames=6))
    assert isinstance(frames, VideoFile)
    later = frames.starting_at(4)
    assert (later.num_frames, later.name(0), later.size) == (2, "00004", SIZE)
    for found, expected in zip(later, list(frames)[4:], strict=True):
        np.testing.assert_array_equal(found, expected)
    refuse(r"clip\.mp4: expected a frame 9 .* found 6 ", list, frames.starting_at(9))
