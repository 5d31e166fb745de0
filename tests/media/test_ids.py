import numpy as np
import pytest
from evaluation.scored_trees import write_benchmark, write_results
from media.blobs import SIZE, blobs
from PIL import Image, ImageDraw, ImageFilter

from mavos_jax.datasets.check import MaskContext, find_mask_faults
from mavos_jax.evaluation.reading import read_given, read_prediction, read_truth
from mavos_jax.media.ids import explain_fullness, object_ids
from mavos_jax.media.masks import read_mask, write_mask


def test_objects_are_all_ids_but_background_and_ignored():
    assert object_ids(np.asarray([[0, 7, 255], [3, 7, 254]], np.uint8)) == (3, 7, 254)


def test_a_first_mask_without_background_is_told():
    assert explain_fullness(np.asarray(blobs(1))) is None
    assert "if 3, the id of the corner" in str(explain_fullness(np.asarray(blobs(1)) + np.uint8(3)))


def refuses_smoothed(path, size=SIZE):
    words = r"first\.png: .* \d+ of \d+ ids .* outlines, .*smoothing"
    with pytest.raises(ValueError, match=words):
        read_mask(path, size)


def enlarged(image, path):
    return image.resize((128, 96), Image.Resampling.BILINEAR).crop((0, 0, 64, 48))


def blurred(image, path):
    return image.filter(ImageFilter.GaussianBlur(1))


def compressed(image, path):
    image.save(path.with_suffix(".jpg"), quality=75)
    with Image.open(path.with_suffix(".jpg")) as stored:
        return stored.copy()


@pytest.mark.parametrize("values", [(255,), (80, 160, 255), (38, 75, 113)])
@pytest.mark.parametrize("smooth", [enlarged, blurred, compressed])
def test_smoothed_masks_are_refused(tmp_path, values, smooth):
    smooth(blobs(*values), tmp_path / "first.png").save(tmp_path / "first.png")
    refuses_smoothed(tmp_path / "first.png")


def judoka(height):
    """A grey mask of one long-limbed object."""
    image = Image.new("L", (height * 16 // 9, height))
    draw, unit = ImageDraw.Draw(image), height / 48
    draw.ellipse([v * unit for v in (10, 4, 34, 30)], fill=255)
    draw.polygon([v * unit for v in (20, 25, 60, 40, 58, 46, 12, 44)], fill=255)
    draw.line([v * unit for v in (30, 15, 75, 8)], fill=255, width=round(3 * unit))
    return image


def blurred_much(image, path):
    return image.filter(ImageFilter.GaussianBlur(image.height / 216))


def enlarged_softly(image, path):
    small = image.resize((image.width * 4 // 9, image.height * 4 // 9), Image.Resampling.NEAREST)
    return small.resize(image.size, Image.Resampling.BICUBIC)


def compressed_dark(image, path):
    return compressed(image.point([value * 60 // 255 for value in range(256)]), path)


@pytest.mark.parametrize("height", [480, 1080])
@pytest.mark.parametrize("smooth", [blurred_much, enlarged_softly, compressed_dark])
def test_smoothed_masks_of_real_sizes_are_refused(tmp_path, height, smooth):
    path, image = tmp_path / "first.png", smooth(judoka(height), tmp_path / "first.png")
    image.save(path)
    assert len(np.unique(np.asarray(image))) > 20
    refuses_smoothed(path, (image.height, image.width))


def crowd(height):
    """Sixty objects of all sizes."""
    image = Image.new("L", (height * 16 // 9, height))
    draw = ImageDraw.Draw(image)
    for i in range(60):
        left, top, size = 60 * (i % 10), 70 * (i // 10), 4 + i
        draw.ellipse((left, top, left + size, top + 1.5 * size), fill=i + 1)
    return np.asarray(image)


def thin_objects():
    ids = np.zeros(SIZE, np.uint8)
    ids[1:41:2] = np.arange(1, 21, dtype=np.uint8)[:, None]
    return ids


def specks():
    """Objects without a pixel inside, numbered with gaps, which no smoothing leaves."""
    ids = np.zeros(SIZE, np.uint8)
    for number in range(24):
        ids[4 + 10 * (number // 6), 4 + 10 * (number % 6)] = 10 * number + 1
    return ids


@pytest.mark.parametrize(
    "ids",
    [
        *map(crowd, (480, 1080)),
        *(thin_objects(), specks()),
        *(np.asarray(blobs(*values)) for values in ((1,), (38, 75, 113), (254,), (5, 250, 255))),
    ],
)
def test_what_is_no_smoothing_is_taken_as_it_is(tmp_path, ids):
    write_mask(tmp_path / "first.png", ids)
    np.testing.assert_array_equal(read_mask(tmp_path / "first.png", ids.shape)[0], ids)


def slopes():
    """Ids that rise from left to right, as a network may predict them: all but two lie between."""
    return np.repeat(np.arange(0, 2 * SIZE[1], 2, dtype=np.uint8)[None], SIZE[0], axis=0)


def test_truth_and_predictions_are_taken_as_they_are(tmp_path):
    benchmark = write_benchmark(tmp_path / "set", {"x": np.stack([slopes()] * 3)})
    (sequence,) = benchmark.sequences
    np.testing.assert_array_equal(read_truth(benchmark, sequence, 1), slopes())
    results = write_results(tmp_path / "r", {"x": np.stack([slopes()] * 3)})
    read = read_prediction(results, sequence, 1, SIZE, is_binary=False)
    np.testing.assert_array_equal(read, slopes())
    with pytest.raises(ValueError, match="outlines"):
        read_given(benchmark, sequence, 0, SIZE)


@pytest.mark.parametrize("ids", [slopes(), np.asarray(blurred(blobs(80, 160, 255), None))])
def test_the_check_of_a_set_and_its_run_agree(tmp_path, ids):
    path = tmp_path / "first.png"
    write_mask(path, ids)
    (line,) = find_mask_faults(path, MaskContext(SIZE, True, True, False, {}, tmp_path))
    assert "outlines" in line
    refuses_smoothed(path)
    np.testing.assert_array_equal(read_mask(path, SIZE, is_drawn=False)[0], ids)
