"""Fresh weights equal, bit for bit, those of Flax's initialisers in one compiled program."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mavos_jax.models import initialisation
from mavos_jax.models.backend import backend_for
from mavos_jax.models.initialisation import initialise
from mavos_jax.models.layers import DepthwiseConv, FrozenBatchNorm, conv, dense, layer_norm, linear
from mavos_jax.models.lstt import HeadLinear

KEY, CPU = jax.random.PRNGKey(5), backend_for("cpu")


def he(key, shape):
    return jax.random.normal(key, shape) * (2 / (shape[0] * shape[1])) ** 0.5


@pytest.mark.parametrize(
    ("own", "expected", "shape"),
    [
        (initialisation.lecun_normal, nn.initializers.lecun_normal(), (3, 3, 5, 7)),
        (initialisation.xavier_uniform, nn.initializers.xavier_uniform(), (70, 33)),
        (initialisation.truncated_normal(0.02), nn.initializers.truncated_normal(0.02), (9, 2)),
        (initialisation.he_depthwise, he, (5, 5, 900)),
    ],
)
def test_initialisers_draw_what_flax_draws(own, expected, shape):
    plain = jax.jit(lambda key: expected(key, shape))(KEY)
    np.testing.assert_array_equal(jax.jit(lambda key: own(key, shape))(KEY), plain)
    np.testing.assert_array_equal(initialise(lambda key: {"x": own(key, shape)})(KEY)["x"], plain)


def test_drawing_outside_of_the_program_changes_no_bit():
    class Network(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = FrozenBatchNorm()(conv(130, 3, "conv", CPU)(x[None])[0])
            x = DepthwiseConv(3, CPU)(dense(130, "dense", CPU, bias=False)(x)).reshape(-1, 130)
            x = HeadLinear(2, 5, CPU)(layer_norm("norm")(linear(64, "linear", CPU)(x)))
            return x @ self.param("matrix", nn.initializers.orthogonal(), (10, 4))

    init = lambda key: Network().init(key, jnp.zeros((4, 4, 3)))  # noqa: E731
    expected, fast = jax.jit(init)(KEY), initialise(init)
    for _ in range(2):
        jax.tree.map(np.testing.assert_array_equal, fast(KEY), expected)
        jax.clear_caches()
    assert not np.array_equal(
        fast(jax.random.PRNGKey(6))["params"]["dense"]["kernel"],
        expected["params"]["dense"]["kernel"],
    )
