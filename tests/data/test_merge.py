import numpy as np
import pytest

from mavos_jax.config.data import DataConfig
from mavos_jax.data import clips
from mavos_jax.data.augment import Crops
from mavos_jax.data.clips import add_twins, haze, paste_over, turn
from mavos_jax.media.ids import count_pixels, pixel_threshold


def _clip(areas, value, top=0, size=465):
    """Two frames of one colour with an object of each area, in rows of 200 pixels at the left."""
    masks = np.zeros((2, size, size), np.uint8)
    for identity, area in enumerate(areas, 1):
        start = top + 20 * (identity - 1)
        for pixel in range(area):
            masks[:, start + pixel // 200, pixel % 200] = identity
    return Crops(np.full((*masks.shape, 3), value, np.uint8), masks, len(areas))


def _merge(below, above, seed=0, most=10):
    return paste_over(below, above, DataConfig(max_objects=most), np.random.default_rng(seed))


def test_foreground_is_pasted_over():
    below, above = _clip([4000], 10), _clip([2000], 200)
    merged = _merge(below, above)
    assert merged.num_objects == 2
    is_pasted = above.masks == 1
    assert (merged.frames[is_pasted] == 200).all()
    assert (merged.frames[~is_pasted] == 10).all()
    assert (merged.masks[is_pasted] == 2).all()
    assert (merged.masks[(below.masks == 1) & ~is_pasted] == 1).all()
    assert (merged.masks[(below.masks == 0) & ~is_pasted] == 0).all()
    assert merged.masks.dtype == merged.frames.dtype == np.uint8


def test_objects_under_100_pixels_of_the_reference_become_background():
    merged = _merge(_clip([99, 100], 10), _clip([99, 100], 200, top=100))
    assert merged.num_objects == 2
    assert count_pixels(merged.masks[0])[:4].tolist() == [0, 100, 100, 0]


def test_what_is_hidden_in_the_reference_is_dropped_from_later_frames():
    below, above = _clip([500], 10), _clip([500], 200)
    above.masks[1] = 0
    merged = _merge(below, above)
    assert merged.num_objects == 1
    assert not merged.masks[1].any()


@pytest.mark.parametrize("most", [10, 4])
def test_so_many_objects_at_most_chosen_at_random(most):
    below, above = _clip([150] * 8, 10), _clip([150] * 9, 200, top=200)
    chosen = set()
    for seed in range(6):
        merged = _merge(below, above, seed, most)
        assert merged.num_objects == most
        assert np.unique(merged.masks).tolist() == list(range(1 + most))
        chosen.add(merged.masks.tobytes())
    assert len(chosen) > 1


def test_unknown_pixels_of_the_first_stay_and_those_of_the_second_are_not_pasted():
    below, above = _clip([400], 10), _clip([400], 200, top=40)
    below.masks[:, 300:] = 255
    above.masks[:, 200:250] = 255
    merged = _merge(below, above)
    assert (merged.masks[:, 300:] == 255).all()
    assert (merged.masks[:, 200:250] == 0).all()
    assert (merged.frames[:, 200:250] == 10).all()


def test_thresholds_shrink_with_the_area_of_the_crop():
    for crop in (464, 465, 801):
        assert (pixel_threshold(100, crop), pixel_threshold(200, crop)) == (100, 200)
    assert pixel_threshold(100, 449) < 100
    assert pixel_threshold(100, 93) == pytest.approx(4)
    assert _merge(_clip([3, 4], 10, size=93), _clip([], 200, size=93)).num_objects == 1


def _box():
    clip = _clip([], 10, size=100)
    clip.masks[:, 20:60, 30:70] = 1
    clip.frames[clip.masks == 1] = 200
    return clip._replace(num_objects=1)


def test_twins_are_moved_copies_of_which_one_alone_may_be_background():
    clip, seen = _box(), set()
    clip.masks[:, 95:] = 255
    for seed in range(40):
        twins = add_twins(clip, DataConfig(), np.random.default_rng(seed))
        is_bright = (twins.frames == 200).all(-1)
        is_own = clip.masks == 1
        assert is_bright[is_own].all()
        assert is_bright[(twins.masks > 0) & (twins.masks < 255)].all()
        assert set(np.unique(twins.masks)) == {0, 255, *range(1, 1 + twins.num_objects)}
        assert (twins.masks[:, 95:][~is_bright[:, 95:]] == 255).all()
        if is_bright.sum() > is_own.sum() + 1000:
            own, copied = (is_here & (twins.masks > 0) for is_here in (is_own, is_bright & ~is_own))
            seen.add((twins.num_objects, bool(own.any()), bool(copied.any())))
    # Both are objects; the copy alone; the original alone.
    assert {(2, True, True), (1, False, True), (1, True, False)} <= seen


@pytest.mark.parametrize(("opacity", "hides"), [(0.4, False), (0.8, True)])
def test_a_twin_in_the_background_hides_what_it_shows_more_than(monkeypatch, opacity, hides):
    monkeypatch.setattr(clips, "_OPACITY", (opacity, opacity))
    monkeypatch.setattr(clips, "_LIGHT", (1.0, 1.0))
    hidden, clip = [], _box()
    for seed in range(40):
        masks = add_twins(clip, DataConfig(glass=1.0), np.random.default_rng(seed)).masks
        if not masks[clip.masks == 0].any():  # the original alone is an object
            hidden.append(bool((masks[clip.masks == 1] == 0).any()))
    assert len(hidden) > 5
    assert any(hidden) == hides


def test_what_turns_is_as_wide_as_the_cosine_of_an_angle_that_grows_evenly():
    frames, masks = (np.repeat(part[:1], 12, axis=0) for part in _box()[:2])
    clip = Crops(frames, masks, 1)
    for seed in range(5):
        turned = turn(clip, np.random.default_rng(seed))
        assert ((turned.frames == 200).all(-1) == (turned.masks == 1)).all()
        assert (turned.masks[:, 20:60].any(2)).all()
        widths = turned.masks[:, 30].sum(1) / 40
        assert (widths >= 0.15 - 1 / 40).all()
        assert (widths <= 1 + 1 / 40).all()
        start, step = np.meshgrid(np.linspace(0, 2 * np.pi, 400), np.linspace(0, 0.6, 100))
        angles = start[..., None] + step[..., None] * np.arange(12)
        errors = abs(np.maximum(abs(np.cos(angles)), 0.15) - widths).max(-1)
        assert errors.min() < 0.05


def test_glass_shows_what_is_behind_and_haze_keeps_the_order_of_colours():
    below, above = _clip([], 100), _clip([4000], 200)
    merged = paste_over(below, above, DataConfig(glass=1.0), np.random.default_rng(0))
    assert (merged.frames[merged.masks == 0] == 100).all()
    (colour,) = np.unique(merged.frames[merged.masks == 1])
    assert 100 * 0.1 <= colour < 200
    ramp = np.arange(256, dtype=np.uint8)[None, :, None, None].repeat(3, -1)
    for seed in range(5):
        hazy = haze(Crops(ramp, np.zeros((1, 256, 1), np.uint8), 0), np.random.default_rng(seed))
        steps = np.diff(hazy.frames[0, :, 0, 0].astype(int))
        assert set(steps.tolist()) == {0, 1}
        assert 0.24 * 255 <= steps.sum() <= 0.81 * 255
