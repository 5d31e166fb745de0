import io

import numpy as np
import pytest
from evaluation.scored_trees import write_benchmark, write_results
from media.blobs import SIZE, blobs
from PIL import Image, ImageDraw, ImageFilter
from refusals import refuse

from mavos_jax.datasets.check import MaskContext, find_mask_faults
from mavos_jax.evaluation.reading import read_given, read_prediction, read_truth
from mavos_jax.media.ids import explain_fullness, object_ids
from mavos_jax.media.masks import read_mask, read_values, write_mask


def test_objects_are_all_ids_but_background_and_ignored():
    assert object_ids(np.asarray([[0, 7, 255], [3, 7, 254]], np.uint8)) == (3, 7, 254)


def test_a_first_mask_without_background_is_told():
    assert explain_fullness(np.asarray(blobs(1))) is None
    assert "if 3, the id of the corner" in str(explain_fullness(np.asarray(blobs(1)) + np.uint8(3)))


SLOPES = np.repeat(np.arange(0, 2 * SIZE[1], 2, dtype=np.uint8)[None], SIZE[0], axis=0)
"""Ids that rise from left to right, as a network may predict them: all but two lie between."""


def refuses(path, size):
    refuse(r"first\.png: .* \d+ of \d+ ids .* outlines, .*smoothing", read_mask, path, size)
    (line,) = find_mask_faults(path, MaskContext(size, True, True, False, {}, path.parent))
    assert "outlines" in line
    ids = read_values(path).ids  # of truth and predictions
    np.testing.assert_array_equal(read_mask(path, size, is_drawn=False)[0], ids)


def compressed(image):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=75)
    return Image.open(file)


def enlarged_softly(image):
    small = image.resize((image.width * 4 // 9, image.height * 4 // 9), Image.Resampling.NEAREST)
    return small.resize(image.size, Image.Resampling.BICUBIC)


SMALL = [blobs(*values) for values in ((255,), (80, 160, 255), (38, 75, 113))]
SMOOTHED = [
    *(image.resize((128, 96), Image.Resampling.BILINEAR).crop((0, 0, 64, 48)) for image in SMALL),
    *(image.filter(ImageFilter.GaussianBlur(1)) for image in SMALL),
    *map(compressed, SMALL),
    Image.fromarray(SLOPES),
]


@pytest.mark.parametrize("image", SMOOTHED)
def test_smoothed_masks_are_refused(tmp_path, image):
    image.save(tmp_path / "first.png")
    refuses(tmp_path / "first.png", SIZE)


def judoka(height):
    """A grey mask of one long-limbed object."""
    image = Image.new("L", (height * 16 // 9, height))
    draw, unit = ImageDraw.Draw(image), height / 48
    draw.ellipse([v * unit for v in (10, 4, 34, 30)], fill=255)
    draw.polygon([v * unit for v in (20, 25, 60, 40, 58, 46, 12, 44)], fill=255)
    draw.line([v * unit for v in (30, 15, 75, 8)], fill=255, width=round(3 * unit))
    return image


@pytest.mark.parametrize("height", [480, 1080])
@pytest.mark.parametrize(
    "smooth",
    [
        lambda image: image.filter(ImageFilter.GaussianBlur(image.height / 216)),
        enlarged_softly,
        lambda image: compressed(image.point([value * 60 // 255 for value in range(256)])),
    ],
)
def test_smoothed_masks_of_real_sizes_are_refused(tmp_path, height, smooth):
    image = smooth(judoka(height))
    image.save(tmp_path / "first.png")
    assert len(np.unique(np.asarray(image))) > 20
    refuses(tmp_path / "first.png", (image.height, image.width))


def crowd(height):
    image = Image.new("L", (height * 16 // 9, height))
    draw = ImageDraw.Draw(image)
    for i in range(60):
        left, top, size = 60 * (i % 10), 70 * (i // 10), 4 + i
        draw.ellipse((left, top, left + size, top + 1.5 * size), fill=i + 1)
    return np.asarray(image)


THIN, SPECKS = np.zeros((2, *SIZE), np.uint8)
THIN[1:41:2] = np.arange(1, 21, dtype=np.uint8)[:, None]
# Objects without a pixel inside, numbered with gaps, which no smoothing leaves.
SPECKS[4:44:10, 4:64:10] = 10 * np.arange(24, dtype=np.uint8).reshape(4, 6) + 1
BLOBS = [np.asarray(blobs(*values)) for values in ((1,), (38, 75, 113), (254,), (5, 250, 255))]


@pytest.mark.parametrize("ids", [*map(crowd, (480, 1080)), THIN, SPECKS, *BLOBS])
def test_what_is_no_smoothing_is_taken_as_it_is(tmp_path, ids):
    write_mask(tmp_path / "first.png", ids)
    np.testing.assert_array_equal(read_mask(tmp_path / "first.png", ids.shape)[0], ids)


def test_truth_and_predictions_are_taken_as_they_are(tmp_path):
    slopes = {"x": np.stack([SLOPES] * 3)}
    benchmark = write_benchmark(tmp_path / "set", slopes)
    (sequence,) = benchmark.sequences
    np.testing.assert_array_equal(read_truth(benchmark, sequence, 1), SLOPES)
    results = write_results(tmp_path / "r", slopes)
    read = read_prediction(results, sequence, 1, SIZE, is_binary=False)
    np.testing.assert_array_equal(read, SLOPES)
    refuse("outlines", read_given, benchmark, sequence, 0, SIZE)
