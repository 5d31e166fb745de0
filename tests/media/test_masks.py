import numpy as np
import pytest
from media.blobs import SIZE, blobs
from PIL import Image, ImageDraw
from refusals import refuse

from mavos_jax.media.ids import object_ids
from mavos_jax.media.masks import read_mask, voc_palette, write_mask


def test_ids_survive_writing_and_reading(tmp_path):
    ids = np.kron(np.arange(256, dtype=np.uint8).reshape(16, 16), np.ones((3, 4), np.uint8))
    path = tmp_path / "folder" / "mask.png"
    write_mask(path, ids)
    read, palette = read_mask(path, SIZE)
    np.testing.assert_array_equal(read, ids)
    np.testing.assert_array_equal(palette, voc_palette())
    with Image.open(path) as image:
        assert (image.mode, image.format) == ("P", "PNG")


def test_the_palette_is_that_of_pascal_voc():
    known = {0: (0, 0, 0), 1: (128, 0, 0), 2: (0, 128, 0), 3: (128, 128, 0), 4: (0, 0, 128)}
    known |= {8: (64, 0, 0), 15: (192, 128, 128), 20: (0, 64, 128), 255: (224, 224, 192)}
    palette = voc_palette()
    assert {i: tuple(map(int, palette[i])) for i in known} == known
    assert len(np.unique(palette, axis=0)) == 256


def test_a_masks_own_palette_is_kept(tmp_path):
    image = blobs(1, 2)
    image.putpalette([0, 0, 0, 10, 20, 30, 250, 240, 230])
    image.save(tmp_path / "own.png")
    write_mask(tmp_path / "written.png", *read_mask(tmp_path / "own.png", SIZE))
    again, kept = read_mask(tmp_path / "written.png", SIZE)
    np.testing.assert_array_equal(again, np.asarray(blobs(1, 2)))
    assert kept is not None
    np.testing.assert_array_equal(kept[:3], [(0, 0, 0), (10, 20, 30), (250, 240, 230)])
    np.testing.assert_array_equal(kept[3:], voc_palette()[3:])  # for objects to come


@pytest.mark.parametrize(
    ("save", "words"),
    [
        *(
            (lambda path, mode=mode: blobs(9).convert(mode).save(path), f"mode {mode}, .*commands")
            for mode in ("RGB", "RGBA", "LA")
        ),
        (lambda path: blobs(1).crop((0, 0, 63, 48)).save(path), "of 48 x 64 .* found 48 x 63 "),
        (lambda path: blobs().save(path), "at least one object, .*only 0"),
        (lambda path: blobs(255).save(path), "only 0 and 255, .*; save the object as 1"),
        (lambda path: Image.new("I;16", (64, 48), 300).save(path), "found 300: .*commands"),
        (lambda path: path.write_text("hello"), "no known image format"),
    ],
)
def test_unusable_masks_are_refused_in_one_line(tmp_path, save, words):
    path = tmp_path / "first.png"
    save(path)
    refuse(rf"first\.png: expected .*{words}", read_mask, path, SIZE)


def test_a_mask_that_may_not_be_read_is_not_called_damaged(tmp_path, monkeypatch):
    def deny(file, **_):
        raise PermissionError(13, "Permission denied", str(file))

    blobs(1).save(tmp_path / "first.png")
    monkeypatch.setattr(Image, "open", deny)
    refuse(r"first\.png: .*may not be read; change", read_mask, tmp_path / "first.png", SIZE)


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


BLACK, WHITE, GREY, RED, GREEN = (0, 0, 0), (255,) * 3, (90,) * 3, (200, 0, 0), (0, 200, 0)


@pytest.mark.parametrize(
    ("outside", "inside", "palette", "is_refused"),
    [
        (1, 0, (RED, BLACK), True),  # sorted by colour, the background second
        (1, 0, (WHITE, BLACK), True),
        (2, 0, (RED, GREEN, BLACK), True),
        (1, 0, (RED, GREEN), True),
        (0, 1, (BLACK, RED), False),
        (1, 0, (BLACK, RED), False),  # an object that fills most of the frame
        (0, 1, (WHITE, BLACK), False),
        (0, 1, (GREEN, RED), False),
        (1, 0, (GREY, RED), False),
        (0, 1, (BLACK, BLACK), False),
    ],
)
def test_index_0_is_the_background(tmp_path, outside, inside, palette, is_refused):
    image = Image.new("P", (SIZE[1], SIZE[0]), outside)
    ImageDraw.Draw(image).rectangle((10, 10, 40, 30), fill=inside)
    image.putpalette([value for colour in palette for value in colour])
    image.save(tmp_path / "first.png")
    assert read_mask(tmp_path / "first.png", SIZE, is_drawn=False)[0].any()
    if is_refused:
        with pytest.raises(ValueError, match=rf"first\.png: .*at index {outside}, .*commands"):
            read_mask(tmp_path / "first.png", SIZE)
    else:
        assert object_ids(read_mask(tmp_path / "first.png", SIZE)[0]) == (1,)


@pytest.mark.parametrize("values", [(127, 255), (85, 170, 255), (21, 255)])
@pytest.mark.parametrize("has_ramp", [False, True])
def test_grey_levels_up_to_white_are_no_ids(tmp_path, values, has_ramp):
    image = blobs(*values)
    if has_ramp:  # as the palette of indexed pictures may be
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
