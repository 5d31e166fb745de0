"""J and F of frames at 480p against a dilation of whole frames that gives the same numbers."""

import time

import numpy as np
from evaluation.scored_trees import drifting

from mavos_jax.scores.boundary import boundary_map, boundary_tolerance
from mavos_jax.scores.metrics import score_frame

SIZE = (480, 854)


def dilate_frame(pixels, radius):
    """ORs the frame with itself, moved to every pixel of the disk."""
    height, width = pixels.shape
    padded = np.pad(pixels, radius)
    result = np.zeros_like(pixels)
    for y, x in np.ndindex(2 * radius + 1, 2 * radius + 1):
        if (y - radius) ** 2 + (x - radius) ** 2 <= radius**2:
            result |= padded[y : y + height, x : x + width]
    return result


def score_whole_frames(truth, prediction, ids):
    radius = boundary_tolerance(*truth.shape)
    region, boundary = [], []
    for number in ids:
        masks = truth == number, prediction == number
        region.append((masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum())
        true, predicted = map(boundary_map, masks)
        precision = (predicted & dilate_frame(true, radius)).sum() / predicted.sum()
        recall = (true & dilate_frame(predicted, radius)).sum() / true.sum()
        boundary.append(2 * precision * recall / (precision + recall))
    return region, boundary


def test_scoring_is_three_times_as_fast_as_dilating_whole_frames():
    def large(seed):  # 60 x 106 discs of some ten pixels, each pixel drawn as 8 x 8
        return drifting(seed, 1, (1, 2), (60, 107))[0].repeat(8, 0).repeat(8, 1)[:, : SIZE[1]]

    truth, prediction, ids = large(1), large(2), (1, 2)
    assert truth.shape == SIZE
    seconds = {}
    for score in (score_frame, score_whole_frames):
        times = []
        for _ in range(3):
            start = time.process_time()  # of this process alone, however busy the machine is
            score(truth, prediction, ids)
            times.append(time.process_time() - start)
        seconds[score] = min(times), np.array(score(truth, prediction, ids))
    (fast, values), (slow, expected) = seconds[score_frame], seconds[score_whole_frames]
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-15)
    print(f"J and F of {len(ids)} objects: {1e3 * fast:.1f} ms, whole frames {1e3 * slow:.1f} ms")
    assert slow >= 3 * fast
