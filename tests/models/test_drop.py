import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mavos_jax.models.layers import STREAM, DropChannels, DropPath

KEYS = jax.random.split(jax.random.PRNGKey(0), 2000)
RATE = 0.3


def drop(module, x, key):
    return module.apply({}, x, rngs={STREAM: key})


@functools.cache
def many(kind):
    """What 2,000 keys leave of a map of ones, [keys, 5, 4, 6]."""
    module = kind(RATE)
    return np.asarray(jax.jit(jax.vmap(lambda key: drop(module, jnp.ones((5, 4, 6)), key)))(KEYS))


@pytest.mark.parametrize("kind", [DropChannels, DropPath])
def test_channels_or_updates_are_dropped_at_the_rate_and_the_rest_scaled_up(kind):
    found = many(kind)
    np.testing.assert_allclose(np.unique(found), [0, 1 / (1 - RATE)], rtol=1e-6)
    draws = len(KEYS) * (6 if kind is DropChannels else 1)
    deviation = np.sqrt(RATE * (1 - RATE) / draws)
    assert abs((found == 0).mean() - RATE) < 4 * deviation


def test_whole_channels_are_dropped_each_on_its_own_or_the_whole_update():
    updates, channels = many(DropPath), many(DropChannels)
    assert (updates == updates[:, :1, :1, :1]).all()
    assert (channels == channels[:, :1, :1]).all()
    is_dropped = channels[:, 0, 0] == 0
    expected = RATE**2 + np.eye(6) * RATE * (1 - RATE)
    together = is_dropped.T.astype(float) @ is_dropped / len(KEYS)
    np.testing.assert_allclose(together, expected, atol=0.05)


@pytest.mark.parametrize("kind", [DropChannels, DropPath])
def test_nothing_is_dropped_without_a_key_or_a_rate(kind):
    x = jax.random.normal(KEYS[0], (3, 4, 5))
    np.testing.assert_array_equal(kind(RATE).apply({}, x), x)
    np.testing.assert_array_equal(drop(kind(0.0), x, KEYS[0]), x)


@pytest.mark.parametrize("kind", [DropChannels, DropPath])
def test_what_is_dropped_depends_on_the_key_alone(kind):
    module = kind(0.5)
    keys, x = KEYS[:16], jax.random.normal(KEYS[0], (16, 3, 4, 8))
    together = jax.vmap(functools.partial(drop, module))(x, keys)
    alone = jnp.stack([drop(module, one, key) for one, key in zip(x, keys, strict=True)])
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(drop(module, -x[1], keys[1]), -alone[1])
    is_dropped = np.asarray(alone == 0)
    assert any((is_dropped[0] != other).any() for other in is_dropped[1:])
    reduced = drop(module, x[1].astype(jnp.bfloat16), keys[1])
    assert reduced.dtype == jnp.bfloat16
    np.testing.assert_array_equal(reduced == 0, is_dropped[1])
