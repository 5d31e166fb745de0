"""Pooling and frozen normalisation against their definitions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mavos_jax.models.backend import backend_for
from mavos_jax.models.encoders.resnet import max_pool
from mavos_jax.models.layers import FrozenBatchNorm


@pytest.mark.parametrize("size", [(9, 14), (8, 7), (1, 2)])
def test_pooling_equals_a_window_reduction(size):
    x = jax.nn.relu(jax.random.normal(jax.random.PRNGKey(0), (*size, 3)))
    expected = jax.lax.reduce_window(
        x, -jnp.inf, jax.lax.max, (3, 3, 1), (2, 2, 1), ((1, 1), (1, 1), (0, 0))
    )
    np.testing.assert_array_equal(max_pool(x), expected)


def test_frozen_batch_norm_is_constant_and_not_a_parameter():
    norm = FrozenBatchNorm()
    variables = norm.init(jax.random.PRNGKey(0), jnp.zeros((2, 2, 3)))
    assert set(variables) == {"constants"}
    constants = {
        "scale": jnp.array([2.0, 1.0, 1.0]),
        "offset": jnp.array([0.5, 0.0, 0.0]),
        "mean": jnp.array([1.0, 0.0, 0.0]),
        "variance": jnp.array([4.0, 1.0, 1.0]),
    }
    found = np.asarray(norm.apply({"constants": constants}, jnp.full((1, 1, 3), 3.0)))
    np.testing.assert_allclose(found[0, 0, 0], 2 * (3 - 1) / np.sqrt(4 + 1e-5) + 0.5, rtol=1e-6)


def test_backend_depends_on_the_platform_alone():
    assert backend_for("cpu").short_term_tile is not None
    assert backend_for("gpu") == backend_for("cuda") == backend_for("tpu")
