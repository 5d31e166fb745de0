import math

import numpy as np
import pytest

from mavos_jax.scores.boundary import (
    boundary_measure,
    boundary_tolerance,
    classical_tolerance,
    tolerance_by_area,
)
from mavos_jax.scores.metrics import Statistics, region_similarity, score_frame, statistics

SIZE = (60, 90)


def blob(seed, size=SIZE):
    """A wavy disc, which may lie partly outside the frame."""
    generator = np.random.default_rng(seed)
    y, x = np.indices(size)
    centre, radius = generator.uniform(0, 1, 2) * size, generator.uniform(4, 0.6 * size[0])
    angle = np.arctan2(y - centre[0], x - centre[1])
    waves = 1 + 0.3 * np.sin(generator.integers(2, 9) * angle + generator.uniform(0, 6))
    return np.hypot(y - centre[0], x - centre[1]) < radius * waves


def clip(seed, num_frames, num_objects=2):
    """Label maps [T, H, W] in whose first frame all objects are seen."""
    ids = np.zeros((num_frames, *SIZE), np.uint8)
    for frame in range(num_frames):
        for number in range(1, num_objects + 1):
            ids[frame][blob(1000 * seed + 10 * frame + number)] = number
    ids[0, 0, : num_objects + 1] = range(num_objects + 1)
    return ids


def slow_boundary_map(mask):
    padded = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    neighbours = padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
    return np.any([mask != neighbour for neighbour in neighbours], axis=0)


def slow_boundary_measure(truth, prediction, tolerance):
    true, predicted = (np.argwhere(slow_boundary_map(mask)) for mask in (truth, prediction))
    if not len(true) or not len(predicted):
        return float(len(true) == len(predicted))
    near = ((true[:, None] - predicted) ** 2).sum(axis=-1) <= tolerance**2
    precision, recall = near.any(axis=0).mean(), near.any(axis=1).mean()
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@pytest.mark.parametrize(("name", "num_masks"), [("frame", 23), ("big", 3)])
def test_single_masks_score_as_by_the_official_tool(goldens, name, num_masks):
    golden = goldens("scorers")
    width = int(golden["frame_width"]) if name == "frame" else 640
    truth, prediction = (
        np.unpackbits(golden[f"{name}_{kind}"], axis=-1, count=width).astype(bool)
        for kind in ("gt", "pred")
    )
    assert len(truth) == num_masks
    region = [region_similarity(*pair) for pair in zip(truth, prediction, strict=True)]
    boundary = [boundary_measure(*pair) for pair in zip(truth, prediction, strict=True)]
    np.testing.assert_array_equal(region, golden[f"{name}_J"])
    np.testing.assert_array_equal(boundary, golden[f"{name}_F"])


@pytest.mark.parametrize("density", [0.001, 0.02, 0.5])
@pytest.mark.parametrize("size", [(1, 1), (1, 40), (33, 1), (2, 2), (24, 8), (31, 47)])
def test_scattered_pixels_score_as_pixel_by_pixel(size, density):
    generator = np.random.default_rng(3)
    for _ in range(3):
        truth, prediction = generator.random((2, *size)) < density
        for tolerance in (0, 1, 3, 6, 10):
            slow = slow_boundary_measure(truth, prediction, tolerance)
            found = boundary_measure(truth, prediction, tolerance)
            assert found == pytest.approx(slow, abs=1e-15)


def test_empty_masks():
    nothing, everything, something = np.zeros(SIZE, bool), np.ones(SIZE, bool), blob(1)
    assert region_similarity(nothing, nothing) == boundary_measure(nothing, nothing) == 1
    assert region_similarity(nothing, something) == boundary_measure(nothing, something) == 0
    # A mask that fills the frame has no boundary either.
    assert region_similarity(nothing, everything) == 0
    assert boundary_measure(nothing, everything) == 1
    assert boundary_measure(everything, something) == 0


@pytest.mark.parametrize(
    ("size", "expected"),
    [((480, 854), 8), ((480, 640), 7), ((600, 800), 8), ((1080, 1920), 18), ((1, 1), 1)],
)
def test_tolerance(size, expected):
    assert boundary_tolerance(*size) == expected == math.ceil(0.008 * np.linalg.norm(size))


def test_objects_of_a_frame_score_as_their_masks():
    truth, prediction = clip(1, 1, 3)[0], clip(2, 1, 3)[0]
    truth[20:30] = 255
    ids = (2, 7, 3)  # 7 is nowhere
    region, boundary = score_frame(truth, prediction, ids)
    for index, number in enumerate(ids):
        masks = truth == number, prediction == number
        assert region[index] == region_similarity(*masks)
        assert boundary[index] == boundary_measure(*masks)
    assert region[1] == boundary[1] == 1
    without = np.where(truth == 255, 0, truth)
    np.testing.assert_array_equal(score_frame(without, prediction, ids), (region, boundary))
    assert [len(values) for values in score_frame(truth, prediction, ())] == [0, 0]
    order = np.array([0, 3, 1, 2, *range(4, 256)], np.uint8)
    permuted = score_frame(order[without], order[prediction], order[list(ids)].tolist())
    np.testing.assert_array_equal(permuted, (region, boundary))


def test_statistics():
    # Bins 1-3, 3-5, 5-6 and 6-8, counted from 1: ends at 1, 2.75, 4.5 (up), 6.25 and 8.
    found = statistics([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2])
    assert found.mean == pytest.approx(0.55)
    assert found.recall == 0.5  # 0.5 itself is not above
    assert found.decay == pytest.approx(0.8 - 0.3)
    assert statistics([0.25]) == Statistics(0.25, 0.0, 0.0)


def test_decay_beyond_256_frames():
    values = np.linspace(1, 0, 300)
    assert statistics(values).decay == pytest.approx(1 - 75 / 299)
    assert np.isnan(statistics(values, official_decay=True).decay)  # its last bin is [224:44]
    # The ends of the outer bins of 1,500 frames are 375, 1124 and 1499: 119, 100 and 219 in 8 bits.
    values = np.random.default_rng(0).random(1500)
    right = values[:376].mean() - values[1124:].mean()
    official = values[:120].mean() - values[100:220].mean()
    assert statistics(values).decay == right
    assert statistics(values, official_decay=True).decay == official
    for length in (1, 2, 5, 77, 255, 256):
        assert statistics(values[:length], official_decay=True) == statistics(values[:length])


def test_tolerances_of_mosev2_are_bounded_by_area_and_diagonal():
    mask = np.zeros((480, 854), bool)
    share = 0.008 * np.hypot(480, 854)
    for side, by_area, classical in ((1, 1, 8), (50, 5, 8), (70, 7, 8), (80, share, share)):
        mask[:side, :side] = True
        assert tolerance_by_area(mask) == pytest.approx(by_area)
        assert classical_tolerance(mask) == pytest.approx(classical)
    assert region_similarity(mask, ~mask, added=1) == 1 / (mask.size + 1)
    assert region_similarity(0 * mask == 1, 0 * mask == 1, added=1) == 1
