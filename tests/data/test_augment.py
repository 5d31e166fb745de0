import dataclasses

import numpy as np
import pytest
from video_sets import paint

from mavos_jax.config.data import DataConfig
from mavos_jax.data.augment import PADDING, Clip, augment, draw_view
from mavos_jax.media.samples import Sample

PLAIN = DataConfig(
    clip_frames=3, crop=96, short_edge=0, scale=(1.0, 1.0), colour=0.0, grey=0.0, blur=0.0, flip=0.0
)


def _mask(height=120, width=160):
    """Discs large enough that few of their pixels are at an edge."""
    y, x = np.mgrid[:height, :width]
    mask = np.zeros((height, width), np.uint8)
    for identity, (cy, cx) in enumerate([(40, 45), (70, 110), (95, 60)], 1):
        mask[(y - cy) ** 2 + (x - cx) ** 2 < 24**2] = 3 * identity
    return mask


def _with(**changes):
    return dataclasses.replace(PLAIN, **changes)


def _crop(mask, data=PLAIN, seed=0, frames=3, *, is_static=False):
    clip = Clip((Sample(paint(mask), mask),) * frames, is_static)
    return augment(clip, data, np.random.default_rng(seed))


def _assert_aligned(crops):
    """Checks that objects are where their colour is, to about a third of a pixel of their edges."""
    for frame, mask in zip(crops.frames, crops.masks, strict=True):
        is_inside = (frame != PADDING).any(-1)
        is_red = frame[..., 0] >= 128
        edge = 2 * np.pi * 24 * len(np.unique(mask))
        assert ((mask > 0) != is_red)[is_inside].sum() < 0.35 * edge
        assert not mask[~is_inside].any()
        green = [int(np.median(frame[mask == slot, 1])) for slot in np.unique(mask) if slot]
        assert green == sorted(green)
        assert set(green) <= {75, 150, 225}


@pytest.mark.parametrize("is_static", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_masks_stay_aligned_with_frames(seed, is_static):
    data = _with(short_edge=90, scale=(0.7, 1.5), flip=0.5, crop=113)
    crops = _crop(_mask(), data, seed, is_static=is_static)
    assert crops.frames.shape == (3, 113, 113, 3)
    assert crops.masks.shape == (3, 113, 113)
    assert crops.frames.dtype == crops.masks.dtype == np.uint8
    _assert_aligned(crops)


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_without_other_changes_a_crop_is_what_is_stored_or_its_mirror_image(flip):
    mask = _mask(96, 96)
    crops, step = _crop(mask, _with(flip=flip)), -1 if flip else 1
    np.testing.assert_array_equal(crops.frames[1], paint(mask)[:, ::step])
    np.testing.assert_array_equal(crops.masks[1] * 3, mask[:, ::step])
    assert crops.num_objects == 3


def test_all_frames_of_a_video_have_one_view():
    data = _with(scale=(0.7, 1.3), flip=0.5, crop=113)
    for seed in range(5):
        crops = _crop(_mask(), data, seed)
        np.testing.assert_array_equal(crops.frames[0], crops.frames[2])
        np.testing.assert_array_equal(crops.masks[0], crops.masks[2])


@pytest.mark.parametrize("is_static", [False, True])
def test_the_frames_of_a_clip_change_colour_alike(is_static):
    plain = np.full((96, 96, 3), PADDING, np.uint8)
    clip, seen = Clip((Sample(plain, _mask(96, 96)),) * 3, is_static), set()
    for seed in range(20):
        frames = augment(clip, _with(clip_colour=0.5), np.random.default_rng(seed)).frames
        colours = np.unique(frames.reshape(-1, 3), axis=0)
        assert len(colours) == 1
        seen.add(tuple(colours[0].tolist()))
    assert PADDING in seen
    assert len(seen) > 5


def test_small_frames_are_padded_at_a_random_place():
    mask = np.full((40, 96), 5, np.uint8)
    tops = set()
    for seed in range(10):
        crops = _crop(mask, seed=seed)
        is_padding = crops.masks[0] == 0
        assert (crops.frames[0][is_padding] == PADDING).all()
        assert (~is_padding).sum() == mask.size
        tops.add(int(np.argmax(~is_padding[:, 0])))
    assert len(tops) > 4


def test_the_scale_is_relative_to_the_short_edge():
    mask = np.full((50, 100), 5, np.uint8)
    view = draw_view(mask, _with(short_edge=80), 0.0, np.random.default_rng(0))
    assert view.size == (96, 80)
    assert view.box[3] - view.box[1] == 50
    assert view.box[2] - view.box[0] == pytest.approx(96 * 100 / 160)


def test_the_crop_keeps_an_object_if_it_can():
    mask = np.zeros((120, 400), np.uint8)
    mask[20:100, 120:260] = 4  # a crop of 96 misses it in one draw of three
    assert sum(_crop(mask, seed=seed).num_objects == 0 for seed in range(60)) <= 2


def test_objects_outside_the_crop_are_dropped_and_the_others_packed():
    mask = np.zeros((96, 400), np.uint8)
    mask[30:60, ::8], mask[30:60, 4::8], mask[0, 0] = 2, 7, 1
    crops = _crop(mask, seed=3)
    assert crops.num_objects == 2
    assert np.unique(crops.masks).tolist() == [0, 1, 2]


def test_unknown_pixels_stay_unknown_and_are_no_object():
    crops = _crop(np.full((96, 96), 255, np.uint8))
    assert crops.num_objects == 0
    assert (crops.masks == 255).all()


def test_an_object_that_only_later_frames_have_is_dropped():
    reference, later = _mask(96, 96), _mask(96, 96)
    later[:30, -30:] = 200
    clip = Clip((Sample(paint(reference), reference), Sample(paint(later), later)), False)
    crops = augment(clip, PLAIN, np.random.default_rng(0))
    assert crops.num_objects == 3
    assert (crops.masks[1, :30, -30:] == 0).all()


@pytest.mark.parametrize("most", [10, 3])
def test_so_many_objects_at_most(most):
    mask = np.repeat(np.repeat(np.arange(16, dtype=np.uint8).reshape(4, 4), 24, 0), 24, 1)
    crops = _crop(mask, _with(max_objects=most))
    assert crops.num_objects == most
    assert np.unique(crops.masks).tolist() == list(range(1 + most))


def test_copies_of_a_still_image_differ():
    crops = _crop(_mask(), frames=4, is_static=True)
    for index in range(1, 4):
        assert (crops.masks[index] != crops.masks[0]).mean() > 0.02


def test_a_large_still_image_is_shrunk_first():
    crops = _crop(np.kron(_mask(), np.ones((6, 6), np.uint8)), is_static=True)
    assert crops.num_objects == 3
    _assert_aligned(crops)
