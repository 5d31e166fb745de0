import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from mavos_jax.media.masks import read_colours, read_values
from mavos_jax.media.pictures import (
    DamagedSample,
    File,
    UnusablePicture,
    read_frame_header,
    read_header,
    read_image,
)

SIZE = (12, 16)


def gradient():
    """A picture of which every turn and mirror image differs, uint8 [12, 16, 3]."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    return np.stack([rows * 20, columns * 15, rows + columns], axis=-1).astype(np.uint8)


def exif(orientation):
    found = Image.Exif()
    found[0x0112] = orientation
    return found


def encoded(pixels, kind, **options):
    """The file of pixels, an array or a picture, called x."""
    image = Image.fromarray(pixels) if isinstance(pixels, np.ndarray) else pixels
    file = io.BytesIO()
    image.save(file, kind, **options)
    return File("x", file.getvalue())


def refuses(reads, source, error, words):
    """Whether readers refuse a file in one line that begins with its name."""
    for read in reads:
        with pytest.raises(error, match=f"{source}: expected .*{words}") as caught:
            read(source)
        assert "\n" not in str(caught.value)


READERS = (read_header, read_image, read_values)


UPRIGHT = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: np.swapaxes(a, 0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.swapaxes(np.rot90(a, 2), 0, 1),
    8: np.rot90,
}
"""What viewers show of stored pixels, by the EXIF standard."""


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_frames_and_masks_are_read_upright(orientation, kind):
    frame = gradient()
    file = encoded(frame, kind, exif=exif(orientation))
    shown = UPRIGHT[orientation](frame)
    np.testing.assert_array_equal(read_image(file), shown)
    mask = encoded(frame[..., 0], kind, exif=exif(orientation))
    np.testing.assert_array_equal(read_values(mask).ids, shown[..., 0])
    assert read_header(file).size == read_header(mask).size == shown.shape[:2]


@pytest.mark.parametrize("odd", [exif(0), exif(9), exif(65535), b"Exif\0\0II*\0\xff\xff\xff\x7f"])
def test_odd_metadata_are_no_reason_to_refuse_the_pixels(odd):
    np.testing.assert_array_equal(read_image(encoded(gradient(), "PNG", exif=odd)), gradient())


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "PPM", "TGA", "SGI", "PCX", "QOI"])
def test_lossless_formats_give_their_pixels(kind):
    np.testing.assert_array_equal(read_image(encoded(gradient(), kind)), gradient())


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "AVIF", "JPEG2000"])
def test_masks_are_not_taken_from_lossy_formats(kind):
    file = encoded(Image.new("L", (16, 12), 1), kind)
    refuses([read_values], file, UnusablePicture, "found (JPEG|WEBP|AVIF)")
    assert read_image(file).shape == (*SIZE, 3)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
def test_several_pictures_in_one_file_are_no_frame(kind):
    images = [Image.new("RGB", (16, 12), (value, 0, 0)) for value in (10, 200, 90)]
    file = encoded(images[0], kind, save_all=True, append_images=images[1:])
    refuses(READERS, file, UnusablePicture, "found 3 in one file")


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        *(("PNG", dtype) for dtype in (bool, np.uint8, np.uint16)),
        *(("TIFF", dtype) for dtype in (np.uint8, np.uint16, np.int32, np.float32)),
    ],
)
def test_masks_of_any_depth_hold_ids_where_they_fit(kind, dtype):
    ids = (gradient()[..., 0] > 100).astype(dtype) * dtype(7)
    file = encoded(ids, kind)
    found, palette = read_values(file)
    np.testing.assert_array_equal(found, ids)
    assert (found.dtype, palette) == (np.uint8, None)
    np.testing.assert_array_equal(read_colours(file) > 0, ids > 0)


@pytest.mark.parametrize("odd", [0.5, np.nan, np.inf])
def test_fractions_are_no_ids(odd):
    file = encoded(np.full(SIZE, odd, np.float32), "TIFF")
    refuses([read_values, read_colours], file, UnusablePicture, f"whole numbers, found {odd}")


def test_a_deep_frame_is_refused_by_its_header():
    file = encoded(np.zeros(SIZE, np.uint16), "PNG")
    refuses([read_frame_header, read_image], file, UnusablePicture, "8 bits.* mode I;16")


def test_a_hint_can_be_pasted_into_a_shell(tmp_path):
    path = tmp_path / "my mask.png"
    Image.fromarray(gradient()).save(path)
    refuses([read_values], path, UnusablePicture, f"--input '{path}' --output FOLDER")


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, colour=3, depth=8, pixels=b"\0" * 9, others=b""):
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    palette = chunk(b"PLTE", bytes(range(6))) if colour == 3 else b""
    parts = (chunk(b"IHDR", header), palette, others, chunk(b"IDAT", zlib.compress(pixels)))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(9000, 9000), (20000, 20000), (2**31 - 1, 1), (65535, 65535)])
def test_a_bomb_is_refused_by_its_header(monkeypatch, size):
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda image: pytest.fail("decoded"))
    refuses(READERS, File("x", png(*size)), ValueError, "(pixels|bomb|decoded)")


def test_a_mask_of_another_size_is_refused_before_it_is_decoded(monkeypatch):
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda image: pytest.fail("decoded"))
    with pytest.raises(DamagedSample, match=r"as its frame f, found 900 x 800 .*; draw it on"):
        read_values(File("x", png(800, 900)), SIZE, "its frame f")
    with pytest.raises(DamagedSample, match=r"height and width are swapped: .* upright") as error:
        read_values(File("x", png(12, 16)), SIZE)
    assert "resize" not in str(error.value)


FAULTS = (
    *(IndexError("image index out of range"), TypeError("nothing"), KeyError(7), MemoryError()),
    *(OverflowError("too large"), RecursionError("deep"), AssertionError(), EOFError()),
    *(zlib.error("incorrect header"), struct.error("unpack\nrequires"), SystemError("tile")),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"),
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
@pytest.mark.parametrize("place", ["PIL.Image.open", "PIL.ImageFile.ImageFile.load"])
def test_whatever_pillow_raises_names_the_file(tmp_path, monkeypatch, fault, place):
    Image.fromarray(gradient()).save(tmp_path / "00007.png")
    Image.fromarray(gradient()[..., 0]).save(tmp_path / "mask.png")

    def fail(*_, **__):
        raise fault

    monkeypatch.setattr(place, fail)
    refuses([read_image], tmp_path / "00007.png", DamagedSample, "decoded")
    refuses([read_values], tmp_path / "mask.png", DamagedSample, "decoded")


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (lambda path: None, "no such file"),
        (lambda path: path.mkdir(), "a folder"),
        (lambda path: path.symlink_to("gone.png"), r"a link to gone\.png, which is not there"),
        (os.mkfifo, "a pipe"),
    ],
)
def test_what_is_no_file_is_told(tmp_path, make, found):
    make(tmp_path / "a.png")
    refuses([*READERS, read_colours], tmp_path / "a.png", DamagedSample, found)


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"\0\0\0\x18ftypheic", "a HEIC photo; convert it"),
        (b"8BPS\0\x01", "a Photoshop document; export it as PNG"),
        (b'\xef\xbb\xbf\n{"shapes": []}', "a JSON text, .*; draw its shapes into a PNG"),
        (b"<!DOCTYPE html>", "a web page; download the file again"),
        (b"version https://git-lfs.github.com/spec/v1", "a Git LFS pointer; .*git lfs pull"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "no known image format; restore"),
        (b"", "no known image format; restore"),
    ],
)
def test_files_of_other_kinds_are_named(tmp_path, head, words):
    path = tmp_path / "00000.png"
    path.write_bytes(head)
    for source in (path, File(str(path), head)):
        refuses(READERS, source, DamagedSample, words)
