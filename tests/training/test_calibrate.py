"""The constants of batch normalisation for encoders with fresh weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_configs import MOBILENET, RESNET, SWIN

from mavos_jax.inference.frame import normalise
from mavos_jax.models.layers import EPSILON, FrozenBatchNorm
from mavos_jax.models.mavos import build_model, init_variables
from mavos_jax.training.calibrate import calibrate


def make_frames(side):
    random = np.random.RandomState(0)
    frames = np.kron(random.randint(0, 255, (3, 5, 5, 3)), np.ones((1, 13, 13, 1), int))
    return jnp.asarray(frames[:, :side, :side], jnp.uint8)


def same(first, second):
    return jax.tree.all(jax.tree.map(lambda x, y: bool((x == y).all()), first, second))


@pytest.mark.parametrize("config", [MOBILENET, RESNET], ids=lambda config: config.name)
def test_every_normalised_channel_has_mean_0_and_variance_1(config):
    model = build_model(config)
    variables, frames = init_variables(model), make_frames(65)
    calibrated = calibrate(model, variables, frames)
    assert same(calibrated["params"], variables["params"])
    assert jax.tree.structure(calibrated) == jax.tree.structure(variables)
    image = normalise(frames.astype(jnp.float32).reshape(-1, *frames.shape[2:]))

    @jax.jit
    def normalised(variables):
        """The outputs of every frozen batch normalisation, and the constants after the pass."""
        _, changed = model.apply(
            variables,
            image,
            method="encode",
            mutable=["intermediates"],
            capture_intermediates=lambda module, _: isinstance(module, FrozenBatchNorm),
        )
        return changed["intermediates"]["encoder"]

    outputs = jax.tree_util.tree_leaves_with_path(normalised(calibrated))
    constants = calibrated["constants"]["encoder"]
    assert len(outputs) == len(jax.tree.leaves(constants)) // 4
    is_near_one = []
    for path, output in outputs:
        place = constants
        for key in path[:-2]:
            place = place[key.key]
        assert same(place["scale"], jnp.ones_like(place["scale"]))
        assert not place["offset"].any()
        rows = np.asarray(output, np.float64)
        np.testing.assert_allclose(rows.mean(axis=(0, 1)), 0, atol=2e-4, err_msg=str(path))
        # What is constant stays so, and the least variances are not those that 1e-5 is added to.
        variance = np.asarray(place["variance"], np.float64)
        expected = variance / (variance + EPSILON)
        np.testing.assert_allclose(
            rows.var(axis=(0, 1)), expected, rtol=1e-3, atol=1e-6, err_msg=str(path)
        )
        is_near_one.extend(expected > 0.99)
    assert np.mean(is_near_one) > 0.9
    before = jax.tree_util.tree_leaves_with_path(normalised(variables))
    assert max(abs(np.asarray(x).var() - 1) for _, x in before) > 0.1


def test_an_encoder_without_batch_normalisation_is_left_as_it_is():
    model = build_model(SWIN)
    variables = init_variables(model)
    calibrated = calibrate(model, variables, make_frames(32))
    assert jax.tree.structure(calibrated) == jax.tree.structure(variables)
    assert same(calibrated, variables)
