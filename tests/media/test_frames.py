import numpy as np
import pytest
from PIL import Image
from refusals import refuse

from mavos_jax.media.folders import MASK_SUFFIXES, frames_by_stem, images_by_stem
from mavos_jax.media.frames import ImageFolder, open_frames


def save(folder, *names, mode="RGB", size=(12, 16), value=40, **options):
    """Saves pictures of one colour; ids of a mode for masks are 1."""
    folder.mkdir(parents=True, exist_ok=True)
    colour = 1 if mode in ("L", "P", "1") else (value, 80, 7)
    for name in names:
        Image.new(mode, size[::-1], colour).save(folder / name, **options)
    return folder / names[-1]


def test_frames_come_in_natural_order_and_other_files_are_ignored(tmp_path):
    for number in (10, 9, 1, 2):
        save(tmp_path, f"frame{number}.png", value=number)
    (tmp_path / ".hidden.png").write_text("no image")
    (tmp_path / "nested.png").mkdir()
    frames = open_frames(tmp_path)
    assert isinstance(frames, ImageFolder)
    assert frames.names == ("frame1", "frame2", "frame9", "frame10")
    assert [int(frame[0, 0, 0]) for frame in frames] == [1, 2, 9, 10]
    assert (frames.num_frames, frames.size, frames.frame_rate) == (4, (12, 16), None)
    later = frames.starting_at(3)
    assert (later.names, later.name(0), later.num_frames) == (("frame10",), "frame10", 1)
    for name in ("a1.png", "a.png", "a10.jpg", "a2.tif", "a-1.png"):
        save(tmp_path / "natural", name)
    assert list(images_by_stem(tmp_path / "natural")) == ["a", "a1", "a2", "a10", "a-1"]


def test_every_format_counts_as_a_frame(tmp_path):
    names = "0.jpg 1.JPG 2.jpeg 3.png 4.PNG 5.tif 6.tiff 7.webp 8.bmp 9.ppm 10.tga 11.avif 12.jp2"
    save(tmp_path, *names.split())
    frames = ImageFolder.open(tmp_path)
    assert frames.names == tuple(map(str, range(13)))
    assert all(abs(int(frame[5, 5, 1]) - 80) < 4 for frame in frames)
    assert frames.notes == ()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1"])
def test_every_8_bit_image_becomes_rgb(tmp_path, mode):
    image = Image.new("RGB", (16, 12), (40, 80, 0)).convert(mode)
    image.save(tmp_path / "0.png", transparency=bytes([0, 128]) if mode == "P" else None)
    (frame,) = open_frames(tmp_path)
    assert (frame.shape, frame.dtype) == ((12, 16, 3), np.uint8)
    np.testing.assert_array_equal(frame, np.asarray(image.convert("RGB")))


def left_out(folder):
    save(folder, "0.png")
    for name in ("notes.txt", "clip.mp4", "2.npy", ".DS_Store", "._0.png", "Thumbs.db"):
        (folder / name).write_text("no picture")
    (folder / "below").mkdir()


def turned(folder):
    save(folder, "0.png")
    exif = Image.Exif()
    exif[0x0112] = 8
    save(folder, "1.jpg", size=(16, 12), exif=exif)
    assert [frame.shape[:2] for frame in ImageFolder.open(folder)] == [(12, 16)] * 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (left_out, ["3 files", "clip.mp4", "notes.txt", "2.npy"]),
        (turned, ["1 of 2 frames turned upright"]),
        (lambda f: save(f, "left0.png", "left1.png", "right0.png", "right1.png"), ["2 series"]),
        (lambda f: save(f, "left0.png", "left1.png", "right1.png"), []),
        # Tools store frames without colour as grey.
        (lambda f: (save(f, "0.png", "1.png", mode="L"), save(f, "2.png")), []),
    ],
)
def test_what_is_odd_is_told(tmp_path, change, words):
    change(tmp_path)
    notes = ImageFolder.open(tmp_path).starting_at(0).notes
    assert len(notes) == bool(words)
    assert all(word in notes[0] for word in words)


@pytest.mark.parametrize("suffix", [".heic", ".CR2", ".exr"])
def test_a_frame_of_a_format_that_is_not_read_is_named(tmp_path, suffix):
    save(tmp_path, "0.jpg")
    (tmp_path / f"1{suffix}").write_bytes(b"raw")
    refuse(f"1{suffix}.*found {suffix}; convert it", ImageFolder.open, tmp_path)
    (tmp_path / f"1{suffix}").rename(tmp_path / f"0{suffix}")  # as cameras keep both
    assert f"0{suffix}" in ImageFolder.open(tmp_path).notes[0]


MASKS = [
    ("00000.jpg 00001.jpg 00002.jpg", "00000_mask.png 00001_mask.png 00002_mask.png", "RGB"),
    ("00000.jpg 00001.jpg 00002.jpg", "00000_mask.png", "RGB"),
    ("00000.png 00001.png", "00000_gt.png 00001_gt.png", "RGB"),
    ("00000.png 00001.png", "mask_00000.png mask_00001.png", "RGB"),
    ("image_0.png image_1.png", "label_0.png label_1.png", "RGB"),
    ("00000.png 00001.png", "00000b.png 00001b.png", "RGB"),
    ("00000.png 00001.png", "first_mask.png", "RGB"),
    *(("00000.jpg 00001.jpg", "first.png", mode) for mode in ("P", "L", "1")),
]


@pytest.mark.parametrize(("frames", "masks", "mode"), MASKS)
def test_masks_among_frames_are_told_by_their_names_or_format(tmp_path, frames, masks, mode):
    save(tmp_path, *frames.split())
    save(tmp_path, *masks.split(), mode=mode)
    call = frames_by_stem if mode == "RGB" else ImageFolder.open
    refuse(f"{masks.split()[0]}.*looks like a mask", call, tmp_path)


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
    save(tmp_path, "0.png", "1.tif", "2.bmp", "0.jpg", mode="L")  # pictures of masks do no harm
    assert images_by_stem(tmp_path, MASK_SUFFIXES) == {"0": "0.png", "1": "1.tif", "2": "2.bmp"}
    save(tmp_path, "3.jpg")
    refuse(r"3\.jpg: expected an indexed PNG", images_by_stem, tmp_path, MASK_SUFFIXES)


def only_a_video(folder):
    for file in folder.iterdir():
        file.unlink()
    (folder / "clip.mov").touch()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda f: save(f, "00002.png", size=(12, 17)), r"00002\.png: .*12 x 16.* 12 x 17"),
        (lambda f: save(f, "00001.jpg"), r"00001\.jpg and 00001\.png; remove"),
        (lambda f: (f / "00001.png").write_text("hello"), r"00001\.png: .*no known image format"),
        (only_a_video, r"expected frames.*clip\.mov"),
        (lambda f: f.rename(f.parent / "x"), "frames: .*found nothing"),
    ],
)
def test_what_headers_show_is_refused_before_any_decoding(tmp_path, spoil, words):
    folder = tmp_path / "frames"
    save(folder, "00000.png", "00001.png")
    refuse(f"give its folder, {folder}", open_frames, folder / "00000.png")
    spoil(folder)
    refuse(words, open_frames, folder)
