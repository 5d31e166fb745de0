import numpy as np
import pytest

from mavos_jax.data.synthetic import SyntheticVideo, generate_clip

SMALL = {"height": 48, "width": 64, "num_objects": 3}


def test_a_clip_follows_from_its_seed():
    first, again, other = (generate_clip(seed, num_frames=3, **SMALL) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.frames, again.frames)
    np.testing.assert_array_equal(first.masks, again.masks)
    assert (first.frames != other.frames).mean() > 0.5


def test_shapes_and_types():
    clip = generate_clip(0, num_frames=2, **SMALL)
    assert (clip.frames.shape, clip.frames.dtype) == ((2, 48, 64, 3), np.uint8)
    assert (clip.masks.shape, clip.masks.dtype) == ((2, 48, 64), np.uint8)


def test_frames_are_drawn_one_by_one_and_do_not_depend_on_the_length():
    clip = generate_clip(5, num_frames=4, **SMALL)
    longer = SyntheticVideo(5, 100_000, **SMALL)
    for index in (3, 0):
        np.testing.assert_array_equal(longer.frame(index), clip.frames[index])
        np.testing.assert_array_equal(longer.mask(index), clip.masks[index])
    np.testing.assert_array_equal(longer[-1].mask, longer.mask(99_999))
    assert len(longer) == 100_000
    with pytest.raises(IndexError):
        longer[100_000]


@pytest.mark.parametrize(("seed", "num_objects"), [(0, 1), (1, 3), (2, 12), (3, 40)])
def test_every_object_is_visible_at_first_and_none_touches_another(seed, num_objects):
    mask = SyntheticVideo(seed, 1, 96, 128, num_objects).mask(0)
    assert set(np.unique(mask)) == set(range(num_objects + 1))
    for a, b in ((mask[1:], mask[:-1]), (mask[:, 1:], mask[:, :-1])):
        assert ((a == b) | (a == 0) | (b == 0)).all()


def test_objects_move_and_occlude():
    masks = generate_clip(0, num_frames=40, height=48, width=64, num_objects=6).masks
    assert (masks[0] != masks[10]).any()
    touching = (masks[:, 1:] != masks[:, :-1]) & (masks[:, 1:] > 0) & (masks[:, :-1] > 0)
    assert touching.any()


def test_frames_as_a_source():
    video = SyntheticVideo(0, 3, **SMALL)
    source = video.frames
    assert (source.num_frames, source.size, source.name(2)) == (3, (48, 64), "00002")
    for index, frame in enumerate(source):
        np.testing.assert_array_equal(frame, video.frame(index))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_frames": 0}, "num_frames: expected at least 1"),
        ({"num_objects": 0}, "num_objects: expected 1 to 254"),
        ({"num_objects": 255}, "num_objects: expected 1 to 254"),
        ({"seed": -1}, "seed: expected an integer of at least 0"),
        ({"height": 8, "num_objects": 40}, "height, width: expected at least"),
    ],
)
def test_numbers_out_of_range_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        SyntheticVideo(**({"seed": 0, "num_frames": 2, **SMALL} | change))
