import os

import numpy as np
import pytest
from PIL import Image

from mavos_jax.media.folders import MASK_SUFFIXES, frames_by_stem, images_by_stem
from mavos_jax.media.frames import ImageFolder, open_frames


def save(folder, *names, mode="RGB", size=(12, 16), value=40, **options):
    """Saves pictures of one colour; ids of a mode for masks are 1."""
    folder.mkdir(parents=True, exist_ok=True)
    colour = 1 if mode in ("L", "P", "1") else (value, 80, 7)
    for name in names:
        Image.new(mode, size[::-1], colour).save(folder / name, **options)
    return folder / names[-1]


def refuses(call, *words):
    with pytest.raises(ValueError, match=": expected") as error:
        call()
    message = str(error.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_frames_come_in_natural_order_and_other_files_are_ignored(tmp_path):
    for number in (10, 9, 1, 2):
        save(tmp_path, f"frame{number}.png", value=number)
    for other in ("notes.txt", ".hidden.png", "Thumbs.db"):
        (tmp_path / other).write_text("no image")
    (tmp_path / "nested.png").mkdir()
    frames = open_frames(tmp_path)
    assert isinstance(frames, ImageFolder)
    assert frames.names == ("frame1", "frame2", "frame9", "frame10")
    assert [int(frame[0, 0, 0]) for frame in frames] == [1, 2, 9, 10]
    assert (frames.num_frames, frames.size, frames.frame_rate) == (4, (12, 16), None)
    later = frames.starting_at(3)
    assert (later.names, later.name(0), later.num_frames) == (("frame10",), "frame10", 1)


def test_a_name_without_a_number_comes_before_those_with_one(tmp_path):
    for name in ("a1.png", "a.png", "a10.jpg", "a2.tif", "a-1.png"):
        (tmp_path / name).touch()
    assert list(images_by_stem(tmp_path)) == ["a", "a1", "a2", "a10", "a-1"]


def test_every_format_counts_as_a_frame(tmp_path):
    names = "0.jpg 1.JPG 2.jpeg 3.png 4.PNG 5.tif 6.tiff 7.webp 8.bmp 9.ppm 10.tga 11.avif 12.jp2"
    save(tmp_path, *names.split())
    frames = ImageFolder.open(tmp_path)
    assert frames.names == tuple(map(str, range(13)))
    assert all(abs(int(frame[5, 5, 1]) - 80) < 4 for frame in frames)
    assert frames.notes == ()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1"])
def test_every_8_bit_image_becomes_rgb(tmp_path, mode):
    Image.new("RGB", (16, 12), (40, 80, 0)).convert(mode).save(tmp_path / "0.png")
    (frame,) = open_frames(tmp_path)
    assert (frame.shape, frame.dtype) == ((12, 16, 3), np.uint8)
    if mode in ("RGB", "RGBA"):
        np.testing.assert_array_equal(frame[3, 3], (40, 80, 0))


def test_a_palette_with_transparency_is_read_without_a_warning(tmp_path):
    image = Image.new("P", (16, 12), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    image.save(tmp_path / "0.png", transparency=bytes([0, 128]))
    (frame,) = open_frames(tmp_path)
    np.testing.assert_array_equal(frame[0, 0], (10, 20, 30))


def test_grey_frames_are_frames(tmp_path):
    save(tmp_path, "0.png", "1.png", mode="L")
    save(tmp_path, "2.png")  # tools store frames without colour as grey
    assert ImageFolder.open(tmp_path).num_frames == 3


def test_what_is_left_out_is_named(tmp_path):
    save(tmp_path, "0.png", "1.png")
    for name in ("notes.txt", "clip.mp4", "2.npy", ".DS_Store", "._0.png", "Thumbs.db"):
        (tmp_path / name).write_text("no picture")
    (tmp_path / "below").mkdir()
    (note,) = ImageFolder.open(tmp_path).starting_at(1).notes
    assert "3 files are no pictures" in note
    assert all(str(tmp_path / name) in note for name in ("clip.mp4", "notes.txt", "2.npy"))


def test_turned_frames_are_told(tmp_path):
    save(tmp_path, "0.png")
    exif = Image.Exif()
    exif[0x0112] = 8
    save(tmp_path, "1.jpg", size=(16, 12), exif=exif)
    frames = ImageFolder.open(tmp_path)
    assert frames.size == (12, 16)
    assert [frame.shape[:2] for frame in frames] == [(12, 16)] * 2
    (note,) = frames.notes
    assert "1 of 2 frames turned upright" in note


def test_two_series_of_frames_in_one_folder_are_told(tmp_path):
    save(tmp_path, "left0.png", "left1.png", "right0.png", "right1.png")
    (note,) = ImageFolder.open(tmp_path).notes
    assert all(word in note for word in ("2 series", "left0.png", "right0.png"))
    (tmp_path / "right0.png").unlink()
    assert ImageFolder.open(tmp_path).notes == ()


@pytest.mark.parametrize("suffix", [".heic", ".CR2", ".exr"])
def test_a_frame_of_a_format_that_is_not_read_is_named(tmp_path, suffix):
    save(tmp_path, "0.jpg")
    (tmp_path / f"1{suffix}").write_bytes(b"raw")
    refuses(lambda: ImageFolder.open(tmp_path), f"1{suffix}", f"found {suffix}; convert it")
    (tmp_path / f"1{suffix}").rename(tmp_path / f"0{suffix}")  # as cameras keep both
    assert f"0{suffix}" in ImageFolder.open(tmp_path).notes[0]


@pytest.mark.parametrize(
    ("frames", "masks"),
    [
        ("00000.jpg 00001.jpg 00002.jpg", "00000_mask.png 00001_mask.png 00002_mask.png"),
        ("00000.jpg 00001.jpg 00002.jpg", "00000_mask.png"),
        ("00000.png 00001.png", "00000_gt.png 00001_gt.png"),
        ("00000.png 00001.png", "mask_00000.png mask_00001.png"),
        ("image_0.png image_1.png", "label_0.png label_1.png"),
        ("00000.png 00001.png", "00000b.png 00001b.png"),
        ("00000.png 00001.png", "first_mask.png"),
    ],
)
def test_masks_among_frames_are_told_by_their_names(tmp_path, frames, masks):
    save(tmp_path, *frames.split(), *masks.split())
    refuses(lambda: frames_by_stem(tmp_path), masks.split()[0], "looks like a mask")


@pytest.mark.parametrize("mode", ["P", "L", "1"])
def test_masks_among_frames_are_told_by_their_format(tmp_path, mode):
    save(tmp_path, "00000.jpg", "00001.jpg")
    save(tmp_path, "first.png", mode=mode)
    refuses(lambda: ImageFolder.open(tmp_path), "first.png", "looks like a mask", "00000.jpg")


@pytest.mark.parametrize(
    "names",
    [
        "mask_0.png mask_1.png mask_2.png",
        "frame1.jpg frame2.jpg frame10.jpg",
        "a1.jpg a2.jpg b1.jpg",
        "00000.jpg 00001.jpg 00001_copy.jpg 00002.jpg 00003.jpg",
        "0.jpg 1.tif 2.png",
        "cam0_001.png cam1_001.png",
    ],
)
def test_frames_of_usual_names_are_taken(tmp_path, names):
    save(tmp_path, *names.split())
    assert len(frames_by_stem(tmp_path)) == len(names.split())


def test_masks_may_have_any_lossless_format(tmp_path):
    save(tmp_path, "0.png", "1.tif", "2.bmp", mode="L")
    found = images_by_stem(tmp_path, MASK_SUFFIXES)
    assert found == {"0": "0.png", "1": "1.tif", "2": "2.bmp"}
    save(tmp_path, "0.jpg")  # a picture of the mask does no harm
    assert images_by_stem(tmp_path, MASK_SUFFIXES) == found
    save(tmp_path, "3.jpg")
    refuses(lambda: images_by_stem(tmp_path, MASK_SUFFIXES), "3.jpg: expected an indexed PNG")


def empty_folder(folder):
    for file in folder.iterdir():
        file.unlink()


def only_a_video(folder):
    empty_folder(folder)
    (folder / "clip.mov").touch()


def deep_image(folder):
    Image.fromarray(np.zeros((12, 16), np.uint16)).save(folder / "00001.png")


def dangling_link(folder):
    (folder / "00001.png").unlink()
    (folder / "00001.png").symlink_to("gone/1.png")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda f: save(f, "00002.png", size=(12, 17)), ("00002.png: ", "12 x 16", "12 x 17")),
        (lambda f: save(f, "00001.jpg"), ("00001.jpg and 00001.png; remove",)),
        (lambda f: (f / "00001.png").write_text("hello"), ("00001.png: ", "no known image format")),
        (lambda f: (f / "00001.png").write_bytes(b""), ("00001.png: ", "no known image format")),
        (deep_image, ("00001.png: expected 8 bits", "mode I;16; convert")),
        (dangling_link, ("00001.png: ", "a link to gone/1.png")),
        (empty_folder, ("expected frames", "an empty folder")),
        (only_a_video, ("expected frames", "clip.mov")),
    ],
)
def test_what_headers_show_is_refused_before_any_decoding(tmp_path, spoil, words):
    save(tmp_path, "00000.png", "00001.png")
    spoil(tmp_path)
    refuses(lambda: open_frames(tmp_path), *words)


def cut_off(file):
    os.truncate(file, file.stat().st_size // 2)


def enlarge(file):
    save(file.parent, file.name, size=(65, 64))


@pytest.mark.parametrize("suffix", ["png", "jpg"])
@pytest.mark.parametrize("spoil", [cut_off, os.unlink, enlarge])
def test_damage_after_opening_is_named_when_it_is_reached(tmp_path, suffix, spoil):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    for number in range(2):
        Image.fromarray(noise).save(tmp_path / f"{number}.{suffix}")
    frames = iter(open_frames(tmp_path))
    spoil(tmp_path / f"1.{suffix}")
    next(frames)
    refuses(lambda: next(frames), f"1.{suffix}: ")


def test_a_missing_path_and_a_single_image_are_refused(tmp_path):
    refuses(lambda: open_frames(tmp_path / "absent"), "absent: ", "found nothing")
    file = save(tmp_path, "0.png")
    refuses(lambda: open_frames(file), f"give its folder, {tmp_path}")
