import functools
import itertools

import numpy as np
import pytest
from PIL import Image
from refusals import refuse
from video_sets import draw_whole

from mavos_jax.generated.scene import draw
from mavos_jax.generated.video import SyntheticVideo

small_video = functools.partial(SyntheticVideo, height=48, width=64, num_objects=3)


def test_a_clip_follows_from_its_seed():
    first, again, other = (draw_whole(small_video(seed, 3)) for seed in (1, 1, 2))
    assert (first.frames.shape, first.frames.dtype) == ((3, 48, 64, 3), np.uint8)
    assert (first.masks.shape, first.masks.dtype) == ((3, 48, 64), np.uint8)
    np.testing.assert_array_equal(first.frames, again.frames)
    np.testing.assert_array_equal(first.masks, again.masks)
    assert (first.frames != other.frames).mean() > 0.5


@pytest.mark.parametrize("seed", [5, 6])
def test_frames_are_drawn_one_by_one_and_do_not_depend_on_the_length(seed):
    clip = draw_whole(small_video(seed, 4))
    longer = small_video(seed, 100_000)
    for index in (3, 0):
        np.testing.assert_array_equal(longer.frame(index), clip.frames[index])
        np.testing.assert_array_equal(longer.mask(index), clip.masks[index])
    np.testing.assert_array_equal(longer[-1].mask, longer.mask(99_999))
    assert len(longer) == 100_000
    with pytest.raises(IndexError):
        longer[100_000]


@pytest.mark.parametrize(
    ("height", "width", "num_objects"),
    [(32, 48, 2), (48, 64, 3), (129, 129, 3), (193, 193, 4), (120, 320, 10)],
)
def test_every_object_is_clearly_visible_at_first(height, width, num_objects):
    least = max(30, 0.004 * height * width)
    for seed in range(40):
        mask = SyntheticVideo(seed, 1, height, width, num_objects).mask(0)
        assert np.bincount(mask.ravel(), minlength=num_objects + 1)[1:].min() >= least, seed


@pytest.mark.parametrize(("num_objects", "size"), [(20, 192), (40, 128), (254, 256)])
def test_many_objects_are_all_visible_at_first(num_objects, size):
    mask = SyntheticVideo(3, 1, size, size, num_objects).mask(0)
    assert set(np.unique(mask)) == set(range(num_objects + 1))


def test_colours_and_masks_end_at_the_same_outline():
    size, scene = (96, 128), SyntheticVideo(4, 20, 96, 128, 3).scene
    flat = tuple(
        body._replace(surface=Image.new("RGB", (8, 8), (40 * number, 0, 0)))
        for number, body in enumerate(scene.bodies, 1)
    )
    light = scene.light._replace(
        gain=np.ones(3), swing=np.zeros(3), falloff=None, kernel=None, noise=0.0
    )
    black = Image.new("RGB", scene.background.size)
    scene = scene._replace(bodies=flat, light=light, background=black)
    labels = tuple(40 * number for number in range(1, len(flat) + 1))
    for index in (0, 7, 19):
        frame, mask = draw(scene, index, size, labels, seed=0)
        mixed = frame[..., 0] != mask
        # Only where an outline crosses the pixel do colours mix.
        edge = np.zeros_like(mixed)
        for dy, dx in itertools.product((-1, 0, 1), repeat=2):
            edge |= np.roll(mask, (dy, dx), (0, 1)) != mask
        assert mask.any()
        assert not (mixed & ~edge).any()


def test_the_mask_is_what_is_seen_of_the_bodies():
    video = SyntheticVideo(4, 30, 96, 128, 3)
    scene = video.scene
    for index in (0, 13, 29):
        expected = np.zeros((96, 128), np.uint8)
        for number in scene.far_to_near:
            alone = scene._replace(far_to_near=(number,))
            _, covered = draw(alone, index, (96, 128), (1,) * len(scene.bodies), seed=0)
            expected[covered > 0] = number + 1 if number < 3 else 0
        np.testing.assert_array_equal(video.mask(index), expected)


def test_frames_as_a_source():
    video = small_video(0, 3)
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
    refuse(message, small_video, **({"seed": 0, "num_frames": 2} | change))
