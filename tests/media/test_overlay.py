from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from mavos_jax.media.masks import voc_palette
from mavos_jax.media.results import contours, draw_overlay, video_writer, write_picture


def test_background_and_ignored_pixels_stay_and_contours_are_opaque():
    frame = np.random.default_rng(0).integers(0, 256, (15, 21, 3), np.uint8)
    ids = np.zeros((15, 21), np.uint8)
    ids[3:10, 4:12], ids[12:, 15:] = 1, 255
    picture = draw_overlay(frame, ids, opacity=0.5)
    np.testing.assert_array_equal(picture[ids != 1], frame[ids != 1])
    np.testing.assert_array_equal(picture[3, 4:12], np.broadcast_to(voc_palette()[1], (8, 3)))
    inner = (slice(4, 9), slice(5, 11))
    expected = (frame[inner].astype(int) + voc_palette()[1]) / 2
    assert np.abs(picture[inner] - expected).max() <= 0.5


def test_contours_are_where_ids_meet():
    ids = np.asarray([[1, 1, 1, 2], [1, 1, 1, 2], [1, 1, 1, 1]], np.uint8)
    expected = [[0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 0, 1]]
    np.testing.assert_array_equal(contours(ids), np.asarray(expected, bool))


@pytest.mark.parametrize(("name", "kind", "error"), [("a.png", "PNG", 0), ("a.jpg", "JPEG", 3)])
def test_pictures(tmp_path, name, kind, error):
    picture = np.full((12, 16, 3), (200, 100, 50), np.uint8)
    write_picture(tmp_path / name, picture)
    with Image.open(tmp_path / name) as image:
        assert image.format == kind
        assert np.abs(np.asarray(image).astype(int) - picture).max() <= error


@pytest.mark.parametrize("has_x264", [True, False])
def test_a_video_of_odd_size_and_broadcast_rate(tmp_path, monkeypatch, has_x264):
    if not has_x264:
        monkeypatch.setattr(av, "codecs_available", {"mpeg4"})
    path, rate = tmp_path / "overlay.mp4", Fraction(30000, 1001)
    with video_writer(path, (45, 63), rate) as add:
        for value in range(6):
            add(np.full((45, 63, 3), 40 * value, np.uint8))
        assert not path.exists()
    assert list(tmp_path.iterdir()) == [path]
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == ("h264" if has_x264 else "mpeg4")
        assert float(stream.average_rate or 0) == pytest.approx(float(rate), abs=1e-3)
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
    assert [frame.shape for frame in frames] == [(46, 64, 3)] * 6
    assert all(abs(frame.mean() - 40 * i) < 4 for i, frame in enumerate(frames))


def test_an_interrupted_video_leaves_nothing(tmp_path):
    def interrupted():
        with video_writer(tmp_path / "overlay.mp4", (48, 64), Fraction(24)) as add:
            add(np.zeros((48, 64, 3), np.uint8))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []
