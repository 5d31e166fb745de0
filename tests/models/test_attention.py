"""Attention: every form equals a plain loop over tokens."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mavos_jax.models.attention import attend, attend_window


def softmax(x):
    weights = np.exp(x - x.max())
    return weights / weights.sum()


def loop_over_windows(query, key, value, relative, size, radius):
    """Short-term attention written from its definition, in double precision."""
    rows, columns = size
    side = 2 * radius + 1
    out = np.zeros_like(value)
    for i in range(rows):
        for j in range(columns):
            logits, neighbours = [], []
            for offset in range(side * side):
                y, x = i + offset // side - radius, j + offset % side - radius
                if 0 <= y < rows and 0 <= x < columns:
                    token = y * columns + x
                    logits.append(query[i * columns + j] @ key[token])
                    logits[-1] += relative[i * columns + j, offset]
                    neighbours.append(token)
            out[i * columns + j] = softmax(np.array(logits)) @ value[neighbours]
    return out


@pytest.mark.parametrize(
    ("tile", "most_scores"),
    [(None, None), (1, None), (3, None), (4, None), (11, None), (None, 1), (None, 200)],
)
@pytest.mark.parametrize(("size", "radius"), [((5, 9), 2), ((3, 3), 7), ((12, 4), 1)])
def test_window_attention_equals_a_loop(size, radius, tile, most_scores):
    random = np.random.RandomState(0)
    tokens = size[0] * size[1]
    query, key = random.randn(2, tokens, 4)
    value = random.randn(tokens, 6)
    relative = random.randn(tokens, (2 * radius + 1) ** 2)
    expected = loop_over_windows(query, key, value, relative, size, radius)
    arrays = [jnp.asarray(x, jnp.float32) for x in (query, key, value, relative)]
    limits = {"tile": tile, "most_scores": most_scores}
    found = attend_window(*arrays, size=size, radius=radius, **limits)
    np.testing.assert_allclose(found, expected, atol=2e-6)


def test_attention_to_keys_twice_is_attention_to_keys_once():
    random = np.random.RandomState(1)
    query, key, value = (jnp.asarray(random.randn(7, 5), jnp.float32) for _ in range(3))
    once = attend(query, key, value)
    twice = attend(query, jnp.concatenate([key, key]), jnp.concatenate([value, value]))
    np.testing.assert_allclose(twice, once, atol=1e-6)


@pytest.mark.parametrize("most_scores", [1, 10, 20, 34, 35])
def test_few_scores_at_once_change_nothing(most_scores):
    random = np.random.RandomState(3)
    query, key, value = (jnp.asarray(random.randn(n, 5), jnp.float32) for n in (7, 5, 5))
    found = attend(query, key, value, most_scores=most_scores)
    np.testing.assert_allclose(found, attend(query, key, value), atol=1e-6)
    jaxpr = jax.make_jaxpr(lambda *x: attend(*x, most_scores=most_scores))(query, key, value)
    sizes = [
        np.prod(variable.aval.shape)
        for equation in jaxpr.jaxpr.eqns
        if equation.primitive.name == "exp"
        for variable in equation.outvars
    ]
    assert max(sizes) <= max(most_scores, len(key))


def test_dividing_before_or_after_the_product_is_the_same():
    random = np.random.RandomState(2)
    query, key, value = (jnp.asarray(random.randn(12, 6), jnp.float32) for _ in range(3))
    after, before = (attend(query, key, value, softmax=form) for form in ("after", "before"))
    np.testing.assert_allclose(before, after, atol=1e-6)
    relative = jnp.asarray(random.randn(12, 9), jnp.float32)
    inputs = (query, key, value, relative, jnp.asarray(random.randn(9, 6), jnp.float32))
    after, before = (
        attend_window(*inputs, size=(3, 4), radius=1, tile=None, softmax=form)
        for form in ("after", "before")
    )
    np.testing.assert_allclose(before, after, atol=2e-6)


def test_large_logits_do_not_overflow():
    query = jnp.full((1, 1), 1e4)
    key = jnp.array([[1.0], [-1.0]])
    found = attend(query, key, jnp.array([[3.0], [5.0]]))
    np.testing.assert_allclose(found, [[3.0]])
