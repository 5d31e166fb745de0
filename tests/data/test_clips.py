import numpy as np
import pytest
from video_sets import MaskVideo

from mavos_jax.data.clips import draw_clip, draw_indices, walk
from mavos_jax.datasets import DamagedSample
from mavos_jax.media.samples import Sample


def _video(foregrounds, size=20):
    """A video with the given sets of ids in each frame, a row of 20 pixels each."""
    masks = np.zeros((len(foregrounds), size, size), np.uint8)
    for mask, ids in zip(masks, foregrounds, strict=True):
        for identity in ids:
            mask[identity] = identity
    return MaskVideo(masks)


@pytest.mark.parametrize("is_reversed", [False, True])
@pytest.mark.parametrize("length", [2, 5, 30])
def test_a_walk_stays_in_the_video_and_no_step_exceeds_its_gap(length, is_reversed):
    rng = np.random.default_rng(length)
    for _ in range(50):
        reference, gaps = int(rng.integers(length)), rng.integers(1, 13, 7)
        indices = walk(reference, gaps, length, is_reversed=is_reversed)
        assert indices[0] == reference
        assert all(0 <= index < length for index in indices)
        assert (np.abs(np.diff(indices)) <= gaps).all()


def test_a_walk_is_reflected_at_both_ends():
    assert walk(3, np.array([1, 1, 1, 2]), 6, is_reversed=False) == [3, 4, 5, 4, 2]
    assert walk(2, np.array([1, 1, 1, 2]), 6, is_reversed=True) == [2, 1, 0, 1, 3]
    assert walk(0, np.array([3, 3, 3]), 3, is_reversed=False) == [0, 1, 2, 1]
    assert walk(4, np.array([2]), 5, is_reversed=False) == [4, 2]
    assert walk(0, np.array([2, 5]), 1, is_reversed=True) == [0, 0, 0]


def test_all_gaps_and_both_directions_are_drawn_alike():
    video = _video([[1]] * 201)
    rng = np.random.default_rng(0)
    steps = []
    for _ in range(400):
        indices = draw_indices(video, 3, 3, 10.0, rng)
        if 10 < indices[0] < 190:
            steps.extend(np.diff(indices))
    values, counts = np.unique(steps, return_counts=True)
    assert values.tolist() == [-3, -2, -1, 1, 2, 3]
    assert counts.min() > 0.7 * len(steps) / 6


def test_the_reference_has_foreground_if_a_frame_has():
    video = _video([[]] * 3 + [[1, 2]] + [[]] * 2 + [[1]])
    for seed in range(30):
        assert draw_indices(video, 3, 2, 25.0, np.random.default_rng(seed))[0] == 3
    assert len(draw_indices(video, 3, 2, 1000.0, np.random.default_rng(0))) == 3


def test_a_clip_whose_later_frames_have_an_object_that_the_reference_lacks_is_redrawn():
    video = _video([[1]] * 20 + [[1, 2]] * 4)
    late = 0
    for seed in range(100):
        indices = draw_indices(video, 3, 3, 10.0, np.random.default_rng(seed))
        late += indices[0] < 20 <= max(indices)
    # one draw in six is late without another try, one in thousands after five
    assert late == 0


def test_frames_of_different_sizes_are_damage():
    class TwoSizes(MaskVideo):
        def __getitem__(self, index):
            size = 20 + index
            return Sample(np.zeros((size, size, 3), np.uint8), np.zeros((size, size), np.uint8))

    with pytest.raises(DamagedSample, match=r"masks: expected frames of one size, found 2\d x"):
        draw_clip(TwoSizes(np.ones((2, 20, 20), np.uint8)), 5, 1, 10.0, np.random.default_rng(0))
