import numpy as np
import pytest
from PIL import Image

from mavos_jax.media.folders import MASK_SUFFIXES, frames_by_stem, images_by_stem
from mavos_jax.media.frames import ImageFolder


def save(folder, *names, mode="RGB"):
    folder.mkdir(exist_ok=True)
    for name in names:
        Image.new(mode, (16, 12), 1 if mode in ("L", "P") else (9, 80, 7)).save(folder / name)


def refuses(call, *words):
    with pytest.raises(ValueError, match=": expected") as error:
        call()
    message = str(error.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_every_format_counts_as_a_frame(tmp_path):
    names = "0.jpg 1.JPG 2.jpeg 3.png 4.PNG 5.tif 6.tiff 7.webp 8.bmp 9.ppm 10.tga 11.avif 12.jp2"
    save(tmp_path, *names.split())
    frames = ImageFolder.open(tmp_path)
    assert frames.names == tuple(map(str, range(13)))
    assert all(abs(int(frame[5, 5, 1]) - 80) < 4 for frame in frames)
    assert frames.notes == ()


def test_what_is_left_out_is_named(tmp_path):
    save(tmp_path, "0.png", "1.png")
    for name in ("notes.txt", "clip.mp4", "2.npy", ".DS_Store", "._0.png", "Thumbs.db"):
        (tmp_path / name).write_text("no picture")
    (tmp_path / "below").mkdir()
    (note,) = ImageFolder.open(tmp_path).starting_at(1).notes
    assert note.startswith("left out: 3 files are no pictures: ")
    assert all(str(tmp_path / name) in note for name in ("clip.mp4", "notes.txt", "2.npy"))


def test_turned_frames_are_told(tmp_path):
    save(tmp_path, "0.png")
    exif = Image.Exif()
    exif[0x0112] = 8
    Image.new("RGB", (12, 16)).save(tmp_path / "1.jpg", exif=exif)
    frames = ImageFolder.open(tmp_path)
    assert frames.size == (12, 16)
    assert [frame.shape[:2] for frame in frames] == [(12, 16)] * 2
    (note,) = frames.notes
    assert "1 of 2 frames turned upright" in note


@pytest.mark.parametrize("suffix", [".heic", ".CR2", ".exr"])
def test_a_frame_of_a_format_that_is_not_read_is_named(tmp_path, suffix):
    save(tmp_path, "0.jpg")
    (tmp_path / f"1{suffix}").write_bytes(b"raw")
    refuses(lambda: ImageFolder.open(tmp_path), f"1{suffix}", f"found {suffix}; convert it")
    (tmp_path / f"1{suffix}").rename(tmp_path / f"0{suffix}")  # as cameras keep both
    assert f"0{suffix}" in ImageFolder.open(tmp_path).notes[0]


def test_a_link_that_leads_nowhere_is_named(tmp_path):
    save(tmp_path, "0.png")
    (tmp_path / "1.png").symlink_to("gone/1.png")
    refuses(lambda: ImageFolder.open(tmp_path), "1.png: ", "a link to gone/1.png")


def test_a_folder_without_pictures_says_what_it_holds(tmp_path):
    (tmp_path / "clip.mov").write_text("")
    refuses(lambda: ImageFolder.open(tmp_path), "found none: clip.mov")


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
    save(tmp_path, "first.png", mode=mode) if mode != "1" else Image.new("1", (16, 12)).save(
        tmp_path / "first.png"
    )
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


def test_grey_frames_are_frames(tmp_path):
    save(tmp_path, "0.png", "1.png", mode="L")
    save(tmp_path, "2.png")  # tools store frames without colour as grey
    assert len(ImageFolder.open(tmp_path).files) == 3


def test_masks_may_have_any_lossless_format(tmp_path):
    save(tmp_path, "0.png", "1.tif", "2.bmp", mode="L")
    found = images_by_stem(tmp_path, MASK_SUFFIXES)
    assert found == {"0": "0.png", "1": "1.tif", "2": "2.bmp"}
    save(tmp_path, "0.jpg")  # a picture of the mask does no harm
    assert images_by_stem(tmp_path, MASK_SUFFIXES) == found
    save(tmp_path, "3.jpg")
    refuses(lambda: images_by_stem(tmp_path, MASK_SUFFIXES), "3.jpg: expected an indexed PNG")


def test_a_frame_that_changed_its_size_meanwhile_is_named(tmp_path):
    save(tmp_path, "0.png", "1.png")
    frames = ImageFolder.open(tmp_path)
    Image.fromarray(np.zeros((13, 16, 3), np.uint8)).save(tmp_path / "1.png")
    refuses(lambda: list(frames), "1.png: expected a frame of 12 x 16", "found 13 x 16")


def test_a_name_without_a_number_comes_before_those_with_one(tmp_path):
    for name in ("a1.png", "a.png", "a10.jpg", "a2.tif", "a-1.png"):
        (tmp_path / name).touch()
    assert list(images_by_stem(tmp_path)) == ["a", "a1", "a2", "a10", "a-1"]


def test_two_series_of_frames_in_one_folder_are_told(tmp_path):
    save(tmp_path, "left0.png", "left1.png", "right0.png", "right1.png")
    (note,) = ImageFolder.open(tmp_path).notes
    assert note == "frames: 2 series, taken one after the other: left0.png, right0.png"
    (tmp_path / "right0.png").unlink()
    assert ImageFolder.open(tmp_path).notes == ()
