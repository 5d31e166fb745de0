import os

import numpy as np
import pytest
from PIL import Image, ImageDraw

from mavos_jax.media.ids import explain_fullness, object_ids
from mavos_jax.media.masks import read_mask, voc_palette, write_mask

SIZE = (48, 64)


def blobs(*values):
    """A mask of one disc and one box a value."""
    image = Image.new("L", (SIZE[1], SIZE[0]))
    draw = ImageDraw.Draw(image)
    for number, value in enumerate(values):
        left = 4 + 20 * number
        draw.ellipse((left, 4, left + 13, 20), fill=value)
        draw.rectangle((left, 26, left + 11, 40), fill=value)
    return image


def test_ids_survive_writing_and_reading(tmp_path):
    ids = np.kron(np.arange(256, dtype=np.uint8).reshape(16, 16), np.ones((3, 4), np.uint8))
    write_mask(tmp_path / "folder" / "mask.png", ids)
    read, palette = read_mask(tmp_path / "folder" / "mask.png", SIZE)
    np.testing.assert_array_equal(read, ids)
    np.testing.assert_array_equal(palette, voc_palette())
    with Image.open(tmp_path / "folder" / "mask.png") as image:
        assert (image.mode, image.format) == ("P", "PNG")


def test_the_palette_is_that_of_pascal_voc():
    known = {1: (128, 0, 0), 2: (0, 128, 0), 3: (128, 128, 0), 4: (0, 0, 128), 8: (64, 0, 0)}
    known |= {0: (0, 0, 0), 15: (192, 128, 128), 20: (0, 64, 128), 255: (224, 224, 192)}
    palette = voc_palette()
    assert {i: tuple(map(int, palette[i])) for i in known} == known
    assert len(np.unique(palette, axis=0)) == 256


def test_a_masks_own_palette_is_kept(tmp_path):
    image = blobs(1, 2)
    image.putpalette([0, 0, 0, 10, 20, 30, 250, 240, 230])
    image.save(tmp_path / "own.png")
    ids, palette = read_mask(tmp_path / "own.png", SIZE)
    assert palette is not None
    write_mask(tmp_path / "written.png", ids, palette)
    again, kept = read_mask(tmp_path / "written.png", SIZE)
    np.testing.assert_array_equal(again, ids)
    assert kept is not None
    np.testing.assert_array_equal(kept[:3], [(0, 0, 0), (10, 20, 30), (250, 240, 230)])
    np.testing.assert_array_equal(kept[3:], voc_palette()[3:])  # for objects to come


@pytest.mark.parametrize("mode", ["L", "1", "I;16", "I"])
def test_grey_one_bit_and_deep_images_hold_ids_too(tmp_path, mode):
    ids = np.zeros(SIZE, np.uint8)
    ids[5:20, 5:20] = 1
    if mode == "1":
        image = Image.fromarray(ids > 0)
    elif mode == "L":
        image = Image.fromarray(ids)
    else:
        image = Image.fromarray(ids.astype(np.uint16 if mode == "I;16" else np.int32))
    path = tmp_path / ("mask.tif" if mode == "I" else "mask.png")
    image.save(path)
    read, palette = read_mask(path, SIZE)
    np.testing.assert_array_equal(read, ids)
    assert palette is None


def test_objects_are_all_ids_but_background_and_ignored():
    assert object_ids(np.asarray([[0, 7, 255], [3, 7, 254]], np.uint8)) == (3, 7, 254)


def save_rgb(path):
    Image.merge("RGB", [blobs(200, 0), blobs(0, 90), blobs(0, 0)]).save(path)


def save_rgba(path):
    blobs(1).convert("RGBA").save(path)


def save_grey_alpha(path):
    blobs(1).convert("LA").save(path)


def save_other_size(path):
    blobs(1).resize((63, 48), Image.Resampling.NEAREST).save(path)


def save_empty(path):
    blobs().save(path)


def save_white(path):
    blobs(255).save(path)


def save_deep(path):
    Image.fromarray(np.asarray(blobs(1)).astype(np.uint16) * 300).save(path)


def save_jpeg(path):
    blobs(1).save(path, format="JPEG")


def save_text(path):
    path.write_text("hello")


def save_cut_off(path):
    Image.fromarray(np.random.default_rng(0).integers(0, 3, SIZE, np.uint8)).save(path)
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize(
    ("save", "message"),
    [
        (save_rgb, r"expected object ids, found PNG of mode RGB, .* mavos_jax.commands.masks"),
        (save_rgba, r"expected object ids, found PNG of mode RGBA, .* mavos_jax.commands.masks"),
        (
            save_grey_alpha,
            r"expected object ids, found PNG of mode LA, .* mavos_jax.commands.masks",
        ),
        (save_other_size, r"expected a mask of 48 x 64 \(height x width\) .* found 48 x 63 "),
        (save_empty, r"expected at least one object, found an empty mask"),
        (
            save_white,
            r".* found only 0 and 255, which marks pixels to ignore; save the object as 1",
        ),
        (save_deep, r".* found 300: more ids than uint8 holds; .* mavos_jax.commands.masks"),
        (save_jpeg, r"expected a mask stored without loss, found JPEG"),
        (save_text, r"expected a mask that can be decoded, found: no known image format"),
        (save_cut_off, r"expected a mask that can be decoded, found: .*truncated"),
        (lambda path: None, r"expected a mask that can be decoded, found: no such file"),
        (lambda path: path.mkdir(), r"expected a mask that can be decoded, found: a folder"),
    ],
)
def test_unusable_masks_are_refused_in_one_line(tmp_path, save, message):
    path = tmp_path / "first.png"
    save(path)
    with pytest.raises(ValueError, match=rf"first\.png: {message}") as error:
        read_mask(path, SIZE)
    assert "\n" not in str(error.value)


def test_a_mask_that_may_not_be_read_is_not_called_damaged(tmp_path, monkeypatch):
    blobs(1).save(tmp_path / "first.png")

    def refuse(file, **_):
        raise PermissionError(13, "Permission denied", str(file))

    monkeypatch.setattr(Image, "open", refuse)
    with pytest.raises(ValueError, match=r"first\.png: expected a mask .* may not be read; change"):
        read_mask(tmp_path / "first.png", SIZE)


def test_a_failed_write_leaves_the_old_mask(tmp_path, monkeypatch):
    path = tmp_path / "mask.png"
    ids = np.asarray(blobs(1))
    write_mask(path, ids)

    def fail(image, file, **_):
        file.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        write_mask(path, 2 * ids)
    assert [file.name for file in tmp_path.iterdir()] == ["mask.png"]
    np.testing.assert_array_equal(read_mask(path, SIZE)[0], ids)


def indexed(places, *colours):
    """An indexed picture: a box of index 1 on index 0, or what ``places`` makes of them."""
    image = Image.new("P", (SIZE[1], SIZE[0]), places[0])
    ImageDraw.Draw(image).rectangle((10, 10, 40, 30), fill=places[1])
    image.putpalette([value for colour in colours for value in colour])
    return image


BLACK, WHITE, GREY, RED, GREEN = (0, 0, 0), (255,) * 3, (90,) * 3, (200, 0, 0), (0, 200, 0)


@pytest.mark.parametrize(
    ("places", "colours"),
    [
        ((1, 0), (RED, BLACK)),  # sorted by colour, the background second
        ((1, 0), (WHITE, BLACK)),
        ((2, 0), (RED, GREEN, BLACK)),
        ((1, 0), (RED, GREEN)),
    ],
)
def test_an_index_0_that_is_no_background_is_refused(tmp_path, places, colours):
    indexed(places, *colours).save(tmp_path / "first.png")
    words = rf"first\.png: expected the background at index 0, .* at index {places[0]}, .*commands"
    with pytest.raises(ValueError, match=words):
        read_mask(tmp_path / "first.png", SIZE)
    read_mask(tmp_path / "first.png", SIZE, is_drawn=False)


@pytest.mark.parametrize(
    ("places", "colours"),
    [
        ((0, 1), (BLACK, RED)),
        ((1, 0), (BLACK, RED)),  # an object that fills most of the frame
        ((0, 1), (WHITE, BLACK)),
        ((0, 1), (GREEN, RED)),
        ((1, 0), (GREY, RED)),
        ((0, 1), (BLACK, BLACK)),
    ],
)
def test_a_background_of_any_colour_at_index_0_is_taken(tmp_path, places, colours):
    indexed(places, *colours).save(tmp_path / "first.png")
    assert object_ids(read_mask(tmp_path / "first.png", SIZE)[0]) == (1,)


@pytest.mark.parametrize("values", [(127, 255), (85, 170, 255), (21, 255)])
@pytest.mark.parametrize("ramp", [False, True])
def test_grey_levels_up_to_white_are_no_ids(tmp_path, values, ramp):
    image = blobs(*values)
    if ramp:  # as the palette of indexed pictures may be
        image.putpalette([value for value in range(256) for _ in range(3)])
    image.save(tmp_path / "first.png")
    with pytest.raises(ValueError, match=rf"grey levels \({values[0]}.* area of 255, .*commands"):
        read_mask(tmp_path / "first.png", SIZE)


def test_255_beside_ids_marks_what_to_ignore(tmp_path):
    outlined = np.asarray(blobs(127)).copy()
    outlined[4:6, :] = 255  # an outline, as those of PASCAL VOC
    for ids in (outlined, np.asarray(blobs(1, 2, 255)), np.asarray(blobs(1, 20, 255))):
        Image.fromarray(ids).save(tmp_path / "first.png")
        np.testing.assert_array_equal(read_mask(tmp_path / "first.png", SIZE)[0], ids)
    write_mask(tmp_path / "first.png", np.asarray(blobs(127, 255)))  # white is no colour there
    assert object_ids(read_mask(tmp_path / "first.png", SIZE)[0]) == (127,)


def test_a_first_mask_without_background_is_told():
    assert explain_fullness(np.asarray(blobs(1))) is None
    assert "if 3, the id of the corner, is the background" in (
        explain_fullness(np.asarray(blobs(1)) + np.uint8(3)) or ""
    )
