import numpy as np
import pytest
from PIL import Image, ImageFilter
from refusals import refuse

from mavos_jax.commands.masks import main
from mavos_jax.media.masks import read_mask

SIZE = (24, 32)
RED, GREEN, BLUE = (255, 0, 0), (0, 200, 0), (10, 20, 230)


def draw(*colours, background=(0, 0, 0), first=0):
    """One box a colour, from the place ``first`` on, uint8 [24, 32, 3]."""
    picture = np.full((*SIZE, 3), background, np.uint8)
    for number, colour in enumerate(colours, start=first):
        picture[4:20, 2 + 10 * number : 9 + 10 * number] = colour
    return Image.fromarray(picture)


def convert(source, output, *words):
    main(["--input", str(source), "--output", str(output), *map(str, words)])


def ids(path):
    found, _ = read_mask(path, SIZE, allow_empty=True)
    return [int(found[10, 5 + 10 * number]) for number in range(3)]


def converted(image, path, *words):
    """Saves a picture and converts it; returns its ids."""
    image.save(path)
    convert(path, path.parent / "ids", *words)
    return ids(path.parent / "ids" / f"{path.stem}.png")


@pytest.fixture
def colours(tmp_path):
    folder = tmp_path / "colours"
    folder.mkdir()
    draw(GREEN).save(folder / "00000.png")
    draw(RED, GREEN).save(folder / "00001.png")
    draw(BLUE, GREEN, RED).convert("P", palette=Image.Palette.ADAPTIVE).save(folder / "00002.png")
    return folder


def test_a_colour_has_one_id_in_all_of_a_video(tmp_path, colours, capsys):
    convert(colours, tmp_path / "ids")
    found = [ids(path) for path in sorted((tmp_path / "ids").iterdir())]
    assert found == [[1, 0, 0], [2, 1, 0], [3, 1, 2]]
    words = capsys.readouterr().out
    assert "3 masks of 3 objects" in words
    assert "(0, 200, 0) -> 1, in 3 of 3" in words
    assert "(255, 0, 0) -> 2, in 2 of 3" in words


def test_folders_are_videos_of_their_own(tmp_path, colours):
    draw(BLUE).save(colours / "00003.png")
    (tmp_path / "set" / "b").mkdir(parents=True)
    colours.rename(tmp_path / "set" / "a")
    draw(RED, BLUE).save(tmp_path / "set" / "b" / "7.png")
    (tmp_path / "set" / ".thumbnails").mkdir()
    bad = tmp_path / "set" / ".thumbnails" / "7.jpg"
    draw(RED).save(bad)
    convert(tmp_path / "set", tmp_path / "ids")
    assert sorted(ids(tmp_path / "ids/b/7.png")) == [0, 1, 2]
    assert ids(tmp_path / "ids/a/00003.png") == [3, 0, 0]
    bad.rename(tmp_path / "set" / "b" / "8.jpg")
    refuse("8.jpg: expected", convert, tmp_path / "set", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_colours_of_pascal_voc_keep_their_ids(tmp_path):
    picture = draw((0, 0, 128), (128, 0, 0), (224, 224, 192))
    assert converted(picture, tmp_path / "a.png") == [4, 1, 255]


@pytest.mark.parametrize("mode", ["L", "LA", "I;16", "I"])
def test_grey_levels_become_ids(tmp_path, mode):
    image = draw((127,) * 3, (255,) * 3).convert("L")
    levels = np.asarray(image)
    match mode:
        case "I":
            image = Image.fromarray(levels.astype(np.int32) * 300)
        case "I;16":
            image = Image.fromarray(levels.astype(np.uint16))
        case _:
            image = image.convert(mode)
    assert converted(image, tmp_path / "a.tif") == [1, 2, 0]


def test_thin_objects_are_not_taken_for_smoothing(tmp_path):
    picture = np.array(draw())
    for place, colour in enumerate((RED, GREEN, BLUE)):
        picture[4:20, 4 + 10 * place : 6 + 10 * place] = colour
    assert sorted(converted(Image.fromarray(picture), tmp_path / "a.png")) == [1, 2, 3]


def test_another_background_and_transparency(tmp_path):
    white = "--background", 255, 255, 255
    picture = draw(RED, background=(255, 255, 255))
    assert converted(picture, tmp_path / "a.png", *white) == [1, 0, 0]
    clear = np.asarray(draw(RED, GREEN, background=(255, 255, 255)).convert("RGBA")).copy()
    clear[(clear[..., :3] == 255).all(-1), 3] = 0
    assert sorted(converted(Image.fromarray(clear), tmp_path / "b.png")) == [0, 1, 2]
    clear[(clear[..., :3] == RED).all(-1), :3] = 0  # a black object on nothing
    assert sorted(converted(Image.fromarray(clear), tmp_path / "c.png", *white)) == [0, 1, 2]
    clear[..., :3] = 0  # strokes in black on a layer of their own
    assert converted(Image.fromarray(clear), tmp_path / "d.png") == [1, 1, 0]


SMOOTH = draw(RED, GREEN, BLUE).filter(ImageFilter.GaussianBlur(1))
NOISE = np.random.default_rng(0).integers(0, 255, (*SIZE, 3), np.uint8)
BAD = [
    (lambda x: SMOOTH.save(x), "without smoothing"),
    (lambda x: Image.fromarray(NOISE).save(x), r"one colour an object, found 7\d\d"),
    (lambda x: draw(RED).save(x, "JPEG"), "stored without loss, found JPEG"),
    (lambda x: x.write_bytes(x.with_name("00002.png").read_bytes()[:90]), "that can be decoded"),
]


@pytest.mark.parametrize(("write", "message"), BAD)
def test_what_cannot_be_converted_is_named_and_nothing_is_written(
    tmp_path, colours, write, message
):
    write(colours / "00003.png")
    refuse(rf"00003\.png: expected .*{message}", convert, colours, tmp_path / "ids")
    assert not (tmp_path / "ids").exists()


def test_folders_without_pictures_are_named(tmp_path):
    refuse("absent: expected a picture or a folder", convert, tmp_path / "absent", tmp_path / "ids")
    refuse(f"{tmp_path}: expected pictures", convert, tmp_path, tmp_path / "ids")


def test_no_file_is_replaced_unasked(tmp_path, colours):
    refuse(r"00000\.png: expected an output apart from the input", convert, colours, colours)
    convert(colours, tmp_path / "ids")
    refuse(r"00000\.png: expected a new file, found", convert, colours, tmp_path / "ids")
    convert(colours, tmp_path / "ids", "--overwrite")


def test_results_below_the_input_are_not_converted_again(tmp_path, colours, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (colours / "more").mkdir()
    draw(BLUE).save(colours / "more" / "0.png")
    for output in ("colours/ids", "colours/ids", colours / "ids"):
        convert(colours, output, "--overwrite")
    assert [path.name for path in (colours / "ids").iterdir() if path.is_dir()] == ["more"]


def test_a_background_that_is_nowhere_is_told(tmp_path, colours, capsys):
    convert(colours, tmp_path / "ids", "--background", 9, 9, 9)
    assert "no background (9, 9, 9); --background RED GREEN BLUE" in capsys.readouterr().out
    words = "--background", 300, 0, 0
    refuse(r"--background: .*0 to 255, .*300", convert, colours, tmp_path / "other", *words)
