"""Which stream of a file is shown, and which side up."""

import re
from fractions import Fraction

import av
import numpy as np
import pytest
from av.stream import Disposition
from refusals import refuse
from video_files import QUARTERS, add_sound, add_stream, encode, remux, set_matrix, write_quarters

from mavos_jax.media.video_file import VideoFile

# Matrices (a, b, c, d), what numpy makes of the picture, and the words for it.
TURNS = [
    ((1, 0, 0, 1), lambda p: p, None),
    ((0, 0, 0, 0), lambda p: p, None),
    ((-1, 0, 0, -1), lambda p: np.rot90(p, 2), "turned by 180 degrees"),
    ((0, 1, -1, 0), lambda p: np.rot90(p, -1), "turned by 90 degrees clockwise"),
    ((0, -1, 1, 0), lambda p: np.rot90(p), "turned by 90 degrees anticlockwise"),
    ((-1, 0, 0, 1), np.fliplr, "mirrored left to right"),
    ((1, 0, 0, -1), np.flipud, "mirrored top to bottom"),
    ((0, -1, -1, 0), lambda p: np.rot90(np.fliplr(p), -1), "mirrored and turned .* clockwise"),
    ((0, 1, 1, 0), lambda p: np.rot90(np.fliplr(p)), "mirrored and turned .* anticlockwise"),
    ((0, 2, -2, 0), lambda p: np.rot90(p, -1), "turned by 90 degrees clockwise"),
]


@pytest.mark.parametrize("container", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize(("matrix", "turn", "words"), TURNS)
def test_frames_are_as_players_show_them(tmp_path, container, matrix, turn, words):
    suffix = "mov" if container == "mov" else "mp4"
    path = set_matrix(write_quarters(tmp_path / f"clip.{suffix}"), matrix)
    if container == "mkv":
        path = remux(path, tmp_path / "clip.mkv")
    frames, expected = VideoFile.open(path), turn(QUARTERS)
    assert frames.size == expected.shape[:2]
    for frame in frames:
        assert frame.flags.c_contiguous
        assert np.abs(frame.astype(int) - expected).mean() < 8
    if words is None or not any(matrix):
        assert frames.notes == ()
    else:
        (note,) = frames.notes
        height, width = expected.shape[:2]
        assert f"stream 0 ({width}x{height}, {words.split(' .* ')[0]}" in note


def test_a_slanted_video_is_refused(tmp_path):
    path = set_matrix(write_quarters(tmp_path / "clip.mp4"), (0.8, 0.6, -0.6, 0.8))
    refuse(r"clip\.mp4: .* no multiple of 90 degrees; .*ffmpeg", VideoFile.open, path)


def write_streams(path, *streams, cover=None, has_sound=False):
    """Writes streams of a codec and pictures of one size each; ``cover`` is that of a picture."""
    with av.open(str(path), "w") as container:
        added = []
        for codec, pictures in streams:
            pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            added.append(add_stream(container, codec, pictures[0].shape[:2], pix_fmt))
        if cover is not None:
            added[cover].disposition = Disposition.attached_pic
        write_sound = add_sound(container) if has_sound else lambda count: None
        for stream, (_, pictures) in zip(added, streams, strict=True):
            encode(container, stream, pictures)
        write_sound(1)
    return path


PREVIEW = ("mjpeg", [np.zeros((32, 32, 3), np.uint8)])
VIDEO = ("libx264", [QUARTERS] * 5)
OTHER = ("libx264", [np.zeros((32, 32, 3), np.uint8)] * 4)


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize(
    ("streams", "taken", "words"),
    [
        ([PREVIEW, VIDEO], 1, "stream 0, one picture, left out"),
        ([VIDEO, PREVIEW], 0, "stream 1, one picture, left out"),
        ([VIDEO, OTHER], 0, "stream 1, a video of 32x32, left out"),
    ],
)
def test_the_first_stream_of_several_pictures_is_the_video(tmp_path, suffix, streams, taken, words):
    frames = VideoFile.open(write_streams(tmp_path / f"clip.{suffix}", *streams))
    assert (frames.size, len(list(frames))) == (QUARTERS.shape[:2], 5)
    count = "unknown" if suffix == "mkv" else 5
    assert frames.notes == (f"video: {count} frames of stream {taken} (64x48); {words}",)


def test_a_cover_picture_is_no_video(tmp_path):
    path = write_streams(tmp_path / "clip.mp4", PREVIEW, VIDEO, cover=0, has_sound=True)
    frames = VideoFile.open(path)
    assert (frames.size, len(list(frames))) == (QUARTERS.shape[:2], 5)
    assert re.search(r"stream \d, a cover picture, left out", frames.notes[0])
    path = write_streams(tmp_path / "song.mp4", PREVIEW, cover=0, has_sound=True)
    refuse(r"song\.mp4: .* but a cover picture and audio;", VideoFile.open, path)


ODDITIES = {
    "smpte2084": "HDR without tone mapping",
    "arib-std-b67": "HDR without tone mapping",
    "interlaced": "interlaced",
    "16:15": "pixels 16:15 wide as stored",
    "bt709": None,
}


@pytest.mark.parametrize(("oddity", "words"), ODDITIES.items())
def test_what_players_would_do_to_the_pixels_is_named(tmp_path, oddity, words):
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = add_stream(container)
        if oddity == "16:15":
            stream.codec_context.sample_aspect_ratio = Fraction(16, 15)
        else:
            light = {"flags": "+ildct"} if oddity == "interlaced" else {"color_trc": oddity}
            stream.options = light
        encode(container, stream, [QUARTERS] * 2)
    expected = () if words is None else (f"video: 2 frames of stream 0 (64x48, {words})",)
    frames = VideoFile.open(path)
    assert (frames.size, frames.notes) == (QUARTERS.shape[:2], expected)
