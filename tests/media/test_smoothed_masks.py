import numpy as np
import pytest
from evaluation.scored_trees import write_benchmark, write_results
from PIL import Image, ImageDraw, ImageFilter

from mavos_jax.datasets.check import MaskContext, find_mask_faults
from mavos_jax.evaluation.reading import read_given, read_prediction, read_truth
from mavos_jax.media.ids import object_ids
from mavos_jax.media.masks import read_mask, write_mask

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


def enlarged(image):
    return image.resize((128, 96), Image.Resampling.BILINEAR).crop((0, 0, 64, 48))


def blurred(image):
    return image.filter(ImageFilter.GaussianBlur(1))


def compressed(image, path):
    image.save(path.with_suffix(".jpg"), quality=75)
    with Image.open(path.with_suffix(".jpg")) as stored:
        return stored.copy()


@pytest.mark.parametrize("values", [(255,), (80, 160, 255), (38, 75, 113)])
@pytest.mark.parametrize("smooth", ["enlarged", "blurred", "compressed"])
def test_smoothed_masks_are_refused(tmp_path, values, smooth):
    path, image = tmp_path / "first.png", blobs(*values)
    changes = {
        "enlarged": enlarged,
        "blurred": blurred,
        "compressed": lambda i: compressed(i, path),
    }
    changes[smooth](image).save(path)
    with pytest.raises(ValueError, match=r"\d+ of \d+ ids .* outlines, .*smoothing"):
        read_mask(path, SIZE)


def judoka(height):
    """A grey mask of one long-limbed object, and its size."""
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
    with pytest.raises(ValueError, match=r"\d+ of \d+ ids .* outlines, .*smoothing"):
        read_mask(path, (image.height, image.width))


@pytest.mark.parametrize("height", [480, 1080])
def test_a_crowd_of_objects_is_not_taken_for_smoothing(tmp_path, height):
    image = Image.new("L", (height * 16 // 9, height))
    draw = ImageDraw.Draw(image)
    for i in range(60):
        left, top, size = 60 * (i % 10), 70 * (i // 10), 4 + i
        draw.ellipse((left, top, left + size, top + 1.5 * size), fill=i + 1)
    image.save(tmp_path / "first.png")
    ids, _ = read_mask(tmp_path / "first.png", (image.height, image.width))
    assert object_ids(ids) == tuple(range(1, 61))


def test_a_few_thin_objects_are_not_taken_for_smoothing(tmp_path):
    ids = np.zeros(SIZE, np.uint8)
    ids[1:41:2] = np.arange(1, 21, dtype=np.uint8)[:, None]
    write_mask(tmp_path / "first.png", ids)
    np.testing.assert_array_equal(read_mask(tmp_path / "first.png", SIZE)[0], ids)


@pytest.mark.parametrize("values", [(1,), (38, 75, 113), (254,), (5, 250, 255)])
def test_sparse_ids_are_not_taken_for_smoothing(tmp_path, values):
    blobs(*values).save(tmp_path / "first.png")
    ids, _ = read_mask(tmp_path / "first.png", SIZE)
    np.testing.assert_array_equal(ids, np.asarray(blobs(*values)))


def test_many_ids_on_outlines_that_no_smoothing_leaves(tmp_path):
    ids = np.zeros(SIZE, np.uint8)
    for number in range(24):  # specks without a pixel inside, numbered with gaps
        ids[4 + 10 * (number // 6), 4 + 10 * (number % 6)] = 10 * number + 1
    write_mask(tmp_path / "first.png", ids)
    assert len(object_ids(ids)) > 20
    np.testing.assert_array_equal(read_mask(tmp_path / "first.png", SIZE)[0], ids)


def slopes():
    """Ids that rise from left to right, as a network may predict them: all but two lie between."""
    return np.repeat(np.arange(0, 2 * SIZE[1], 2, dtype=np.uint8)[None], SIZE[0], axis=0)


def test_smoothed_outlines_are_taken_as_they_are_where_nobody_draws(tmp_path):
    write_mask(tmp_path / "00001.png", slopes())
    with pytest.raises(ValueError, match="outlines"):
        read_mask(tmp_path / "00001.png", SIZE)
    ids, _ = read_mask(tmp_path / "00001.png", SIZE, is_drawn=False)
    np.testing.assert_array_equal(ids, slopes())


def test_truth_and_predictions_are_taken_as_they_are(tmp_path):
    benchmark = write_benchmark(tmp_path / "set", {"x": np.stack([slopes()] * 3)})
    (sequence,) = benchmark.sequences
    np.testing.assert_array_equal(read_truth(benchmark, sequence, 1), slopes())
    results = write_results(tmp_path / "r", {"x": np.stack([slopes()] * 3)})
    read = read_prediction(results, sequence, 1, SIZE, is_binary=False)
    np.testing.assert_array_equal(read, slopes())
    with pytest.raises(ValueError, match="outlines"):
        read_given(benchmark, sequence, 0, SIZE)


@pytest.mark.parametrize("draw", [slopes, lambda: np.asarray(blurred(blobs(80, 160, 255)))])
def test_the_check_of_a_set_and_its_run_agree(tmp_path, draw):
    write_mask(tmp_path / "first.png", draw())
    context = MaskContext(SIZE, True, True, False, {}, tmp_path)
    (line,) = find_mask_faults(tmp_path / "first.png", context)
    assert "outlines" in line
    with pytest.raises(ValueError, match="outlines"):
        read_mask(tmp_path / "first.png", SIZE)
