import os

import numpy as np
import pytest
from PIL import Image

from mavos_jax.media.frames import ImageFolder, open_frames


def save(path, size=(12, 16), mode="RGB", value=40):
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = size
    Image.new("RGB", (width, height), (value, 2 * value, 0)).convert(mode).save(path)
    return path


def test_frames_come_in_natural_order_and_other_files_are_ignored(tmp_path):
    for number in (10, 9, 1, 2):
        save(tmp_path / f"frame{number}.png", value=number)
    for other in ("notes.txt", ".hidden.png", "Thumbs.db"):
        (tmp_path / other).write_text("no image")
    (tmp_path / "nested.png").mkdir()
    frames = open_frames(tmp_path)
    assert [frames.name(i) for i in range(4)] == ["frame1", "frame2", "frame9", "frame10"]
    assert [int(frame[0, 0, 0]) for frame in frames] == [1, 2, 9, 10]
    assert (frames.num_frames, frames.size, frames.frame_rate) == (4, (12, 16), None)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1"])
def test_every_8_bit_image_becomes_rgb(tmp_path, mode):
    save(tmp_path / "0.png", mode=mode)
    (frame,) = open_frames(tmp_path)
    assert frame.shape == (12, 16, 3)
    assert frame.dtype == np.uint8
    if mode in ("RGB", "RGBA"):
        np.testing.assert_array_equal(frame[3, 3], (40, 80, 0))


def test_a_palette_with_transparency_is_read_without_a_warning(tmp_path):
    image = Image.new("P", (16, 12), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    image.save(tmp_path / "0.png", transparency=bytes([0, 128]))
    (frame,) = open_frames(tmp_path)
    np.testing.assert_array_equal(frame[0, 0], (10, 20, 30))


def test_frames_are_decoded_when_they_are_asked_for(tmp_path):
    for number in range(3):
        save(tmp_path / f"{number}.png", value=number)
    frames = iter(open_frames(tmp_path))
    next(frames)
    (tmp_path / "1.png").unlink()
    with pytest.raises(ValueError, match=r"1\.png: expected an image that can be decoded"):
        next(frames)


def test_a_folder_can_start_later(tmp_path):
    for number in range(3):
        save(tmp_path / f"{number}.png", value=number)
    frames = ImageFolder.open(tmp_path).starting_at(2)
    assert (frames.names, frames.num_frames) == (("2",), 1)


def changed_size(folder):
    save(folder / "00002.png", size=(12, 17))


def no_frames(folder):
    for file in folder.iterdir():
        file.unlink()


def two_of_one_name(folder):
    save(folder / "00001.jpg")


def no_image(folder):
    (folder / "00001.png").write_text("hello")


def empty_file(folder):
    (folder / "00001.png").write_bytes(b"")


def deep_image(folder):
    Image.fromarray(np.zeros((12, 16), np.uint16)).save(folder / "00001.png")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (changed_size, r"00002\.png: expected 12 x 16 \(height x width\) .* found 12 x 17"),
        (no_frames, r"expected frames \(\.jpg or \.png\), found none: an empty folder"),
        (two_of_one_name, r"expected one image for each .* 00001\.jpg and 00001\.png; remove"),
        (no_image, r"00001\.png: expected an image .* no known image format; restore"),
        (empty_file, r"00001\.png: expected an image .* no known image format; restore"),
        (deep_image, r"00001\.png: expected 8 bits a channel, found mode I;16; convert"),
    ],
)
def test_what_headers_show_is_refused_before_any_decoding(tmp_path, spoil, message):
    save(tmp_path / "00000.png")
    save(tmp_path / "00001.png")
    spoil(tmp_path)
    with pytest.raises(ValueError, match=message) as caught:
        open_frames(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_an_image_that_is_cut_off_is_named_when_it_is_reached(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    for number in range(2):
        Image.fromarray(noise).save(tmp_path / f"{number}.{suffix}")
    file = tmp_path / f"1.{suffix}"
    os.truncate(file, file.stat().st_size // 2)
    frames = iter(open_frames(tmp_path))
    next(frames)
    with pytest.raises(ValueError, match=rf"1\.{suffix}: expected an image that can be decoded"):
        next(frames)


def test_a_missing_path_and_a_single_image_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"absent: expected a video file or a folder .* nothing"):
        open_frames(tmp_path / "absent")
    with pytest.raises(ValueError, match=r"found one image; give its folder"):
        open_frames(save(tmp_path / "0.png"))
