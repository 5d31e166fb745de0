import colorsys
import dataclasses

import numpy as np
import pytest
from PIL import Image

from mavos_jax.config.data import DataConfig
from mavos_jax.data.augment import jitter, recolour, turn_hue


def _image(seed=0, size=32):
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (size, size, 3), np.uint8))


NEVER = DataConfig(colour=0.0, grey=0.0, blur=0.0)


def _recolour(image, seed, **fields):
    config = dataclasses.replace(NEVER, **fields)
    return np.asarray(recolour(image, config, np.random.default_rng(seed)))


@pytest.mark.parametrize("turn", [20 / 256, -85 / 256, 0.5, 171 / 256])
def test_turning_the_hue_is_what_the_standard_library_computes(turn):
    image = _image(1, 16)
    image.paste((90, 90, 90), (0, 0, 2, 2))
    turned = np.asarray(turn_hue(image, turn)).astype(int)
    assert (turned[:2, :2] == 90).all()
    for before, after in zip(np.asarray(image).reshape(-1, 3), turned.reshape(-1, 3), strict=True):
        hue, saturation, value = colorsys.rgb_to_hsv(*(before / 255))
        expected = 255 * np.array(colorsys.hsv_to_rgb((hue + turn) % 1, saturation, value))
        assert np.abs(after - expected).max() <= 4
    assert turn_hue(image, 0.001) is image


def test_jitter_stays_in_its_ranges():
    grey = Image.new("RGB", (4, 4), (100, 100, 100))
    levels = [np.asarray(jitter(grey, np.random.default_rng(seed)))[0, 0, 0] for seed in range(200)]
    # contrast is about the mean, so that brightness alone changes a plain grey
    assert 59 <= min(levels) < 66
    assert 134 < max(levels) <= 141


@pytest.mark.parametrize("name", ["colour", "grey", "blur"])
def test_each_change_has_its_probability(name):
    image, rng = _image(), np.random.default_rng(0)
    assert np.array_equal(np.asarray(recolour(image, NEVER, rng)), np.asarray(image))
    half = dataclasses.replace(NEVER, **{name: 0.5})
    changed = sum(
        not np.array_equal(np.asarray(recolour(image, half, rng)), np.asarray(image))
        for _ in range(200)
    )
    assert 65 < changed < 135


def test_grey_has_three_equal_channels():
    frame = _recolour(_image(), 0, grey=1.0)
    assert (frame == frame[..., :1]).all()


def test_blur_takes_detail_away():
    image = _image()
    assert _recolour(image, 1, blur=1.0).std() < 0.8 * np.asarray(image).std()
