import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mavos_jax.config import ClipConfig
from mavos_jax.training.losses import (
    bootstrapped_cross_entropy,
    frame_loss,
    kept_share,
    kth_largest,
    mean_iou,
    num_kept,
    predict,
    reference_weight,
    soft_jaccard,
)

pytestmark = pytest.mark.newest

STEPS = 100_000
CONFIG = ClipConfig()


@pytest.fixture(scope="module")
def golden(goldens):
    stored = goldens("losses")
    logits = jnp.asarray(stored["logits"])
    labels = jnp.asarray(stored["labels"], jnp.int32)
    return stored, logits, labels, jnp.asarray(stored["num_objects"], jnp.int32)


@pytest.mark.parametrize("step", [0, 10_000, 50_000, 90_000])
def test_cross_entropy_of_the_hardest_pixels(golden, step):
    stored, logits, labels, num_objects = golden
    share = kept_share(CONFIG, jnp.int32(step), STEPS)
    losses = jax.jit(jax.vmap(bootstrapped_cross_entropy, (0, 0, 0, None)))
    found = losses(logits, labels, num_objects, share)
    np.testing.assert_allclose(found, stored[f"ce_step{step}"], rtol=1e-6)


def test_jaccard(golden):
    stored, logits, labels, num_objects = golden
    found = jax.vmap(soft_jaccard)(logits, labels, num_objects)
    np.testing.assert_allclose(found, stored["jaccard"], rtol=1e-6)


def test_absent_objects_cost_what_is_predicted_of_them():
    labels = jnp.zeros((10, 10), jnp.int32).at[:4].set(1)
    sure = jnp.full((11, 10, 10), -30.0).at[0].set(30.0).at[1, :4].set(90.0)
    # 20 of the 100 pixels go to object 2, which is away; the background loses them.
    wrong = sure.at[2, 6:8].set(90.0)
    for absence, weight, objects, expected in (
        (0.0, 1.0, 2, (0 + 1 / 3) / 2),
        (0.2, 1.0, 2, (0 + 1 / 3 + 1 / 2) / 3),
        (0.2, 3.0, 2, (0 + 1 / 3 + 3 / 2) / 5),
        (0.05, 1.0, 3, (0 + 1 / 3 + 4 / 5 + 0) / 4),
        (0.05, 0.5, 3, (0 + 1 / 3 + 2 / 5 + 0) / 3),
    ):
        found = soft_jaccard(wrong, labels, jnp.int32(objects), absence, weight)
        np.testing.assert_allclose(found, expected, rtol=1e-5)
        assert soft_jaccard(sure, labels, jnp.int32(objects), absence, weight) < 1e-5


def test_a_margin_is_what_the_background_must_win_by():
    labels = jnp.zeros((6, 6), jnp.int32).at[:3].set(1)
    logits = jax.random.normal(jax.random.PRNGKey(0), (11, 6, 6))
    arguments = labels, jnp.int32(2), jnp.float32(0.5)
    margin = ClipConfig(background_margin=0.7)
    found = frame_loss(logits.at[0].add(0.7), *arguments, margin)
    np.testing.assert_allclose(found, frame_loss(logits, *arguments, CONFIG), rtol=1e-6)
    assert frame_loss(logits, *arguments, margin) != found


@pytest.mark.parametrize("size", [(80, 80), (81, 81), (464, 464), (465, 465)])
def test_number_of_kept_pixels_is_that_of_double_precision(size):
    pixels = size[0] * size[1]
    steps = np.arange(0, STEPS, 977)
    shares = jax.vmap(lambda step: kept_share(CONFIG, step, STEPS))(jnp.asarray(steps))
    found = np.asarray(jax.vmap(lambda share: num_kept(share, pixels))(shares))
    progress = np.minimum(1, steps / (0.5 * STEPS))
    expected = ((progress * 0.15 + (1 - progress)) * pixels).astype(int)
    assert np.abs(found - expected).max() <= 1
    assert (found != expected).mean() < 0.05
    assert num_kept(jnp.float32(0.49), 6400) == 3136
    assert num_kept(jnp.float32(0.0), 6400) == 1


def test_the_kth_largest_is_that_of_sorting():
    values = np.random.default_rng(0).exponential(size=1001).astype(np.float32)
    values[::7], values[3], values[4] = 0.0, np.float32(1e-40), values[5]
    ordered = np.sort(values)[::-1]
    find = jax.jit(kth_largest)
    for k in (1, 2, 500, 858, 859, 1001):
        assert find(values, k) == ordered[k - 1]


def test_ties_at_the_threshold_share_what_is_left():
    measure = jax.value_and_grad(bootstrapped_cross_entropy)
    labels = jnp.zeros((4, 4), jnp.int32)
    loss, gradient = measure(jnp.zeros((11, 4, 4)), labels, jnp.int32(1), jnp.float32(0.3))
    np.testing.assert_allclose(loss, np.log(2), rtol=1e-6)
    np.testing.assert_allclose(gradient.sum(axis=(1, 2))[:2], [-0.5, 0.5], rtol=1e-5)


def both_losses(logits, labels, num_objects, share):
    cross_entropy = bootstrapped_cross_entropy(logits, labels, num_objects, share)
    return cross_entropy + soft_jaccard(logits, labels, num_objects)


def test_ignored_pixels_and_unused_slots_have_no_gradient(golden):
    _, logits, labels, _ = golden
    labels = labels[0].at[:5].set(255)
    gradient = jax.grad(both_losses)(logits[0], labels, jnp.int32(3), jnp.float32(1.0))
    assert not gradient[:, :5].any()
    assert not gradient[4:].any()
    assert gradient[:4, 5:].any()


def test_a_frame_without_known_pixels_has_no_loss_and_a_finite_gradient():
    logits = jax.random.normal(jax.random.PRNGKey(0), (11, 6, 7))
    labels = jnp.full((6, 7), 255, jnp.int32)
    measure = jax.value_and_grad(both_losses)
    loss, gradient = measure(logits, labels, jnp.int32(2), jnp.float32(0.5))
    assert loss == 0
    assert not gradient.any()


def test_the_weight_of_the_reference_falls_with_the_steps():
    for share, step, expected in ((0.1, 0, 1), (0.1, 5_000, 0.5), (0.1, 10_000, 0), (0.0, 0, 0)):
        config = ClipConfig(reference_loss=share)
        assert reference_weight(config, jnp.int32(step), STEPS) == expected


def test_prediction_and_iou():
    logits = jnp.zeros((11, 2, 2)).at[9].set(5.0).at[1, 0, 0].set(1.0).at[2, 1, 1].set(1.0)
    slots = predict(logits, jnp.int32(2))
    np.testing.assert_array_equal(slots, [[1, 0], [0, 2]])
    labels = jnp.array([[1, 1], [0, 255]])
    np.testing.assert_allclose(mean_iou(slots, labels, jnp.int32(2)), 0.5)
    nothing = jnp.zeros((2, 2), jnp.int32)
    assert mean_iou(nothing, nothing, jnp.int32(2)) == 1
