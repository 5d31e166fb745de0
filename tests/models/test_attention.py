import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from models.formulas import attend_windows

from mavos_jax.models import attention
from mavos_jax.models.attention import attend, attend_window


@pytest.mark.parametrize(
    ("tile", "most_scores", "has_table"),
    [
        *((tile, None, has_table) for tile, has_table in ((None, True), (1, False), (3, True))),
        *((4, None, False), (11, None, True), (None, 1, False), (None, 200, True)),
    ],
)
@pytest.mark.parametrize(("size", "radius"), [((5, 9), 2), ((3, 3), 7), ((12, 4), 1)])
def test_window_attention_equals_a_loop(size, radius, tile, most_scores, has_table):
    random = np.random.RandomState(0)
    tokens = size[0] * size[1]
    query, key = random.randn(2, tokens, 4)
    value = random.randn(tokens, 6)
    relative = random.randn(tokens, (2 * radius + 1) ** 2)
    table = has_table * random.randn((2 * radius + 1) ** 2, 6)
    expected = attend_windows(query, key, value, relative, table, size, radius)
    arrays = [jnp.asarray(x, jnp.float32) for x in (query, key, value, relative, table)]
    options = {"size": size, "radius": radius, "tile": tile, "most_scores": most_scores}
    found = attend_window(*(arrays if has_table else arrays[:4]), **options)
    np.testing.assert_allclose(found, expected, atol=2e-6)


@pytest.mark.parametrize("least", [1, 3])
@pytest.mark.parametrize("most_scores", [1, 10, 20, 34, 35])
def test_few_scores_at_once_change_nothing(most_scores, least, monkeypatch):
    monkeypatch.setattr(attention, "_LEAST_QUERIES", least)
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
    assert max(sizes) <= max(most_scores, least * len(key))
    assert min(sizes) < query.shape[0] * len(key) or most_scores == 35


def test_dividing_before_or_after_the_product_is_the_same():
    random = np.random.RandomState(2)
    shapes = (12, 6), (12, 6), (12, 6), (12, 9), (9, 6)
    inputs = [jnp.asarray(random.randn(*shape), jnp.float32) for shape in shapes]
    window = functools.partial(attend_window, size=(3, 4), radius=1, tile=None)
    for form, arrays, atol in ((attend, inputs[:3], 1e-6), (window, inputs, 2e-6)):
        after, before = (form(*arrays, softmax=softmax) for softmax in ("after", "before"))
        np.testing.assert_allclose(before, after, atol=atol)


def test_large_logits_do_not_overflow():
    query, key, value = jnp.array([[1e4]]), jnp.array([[1.0], [-1.0]]), jnp.array([[3.0], [5.0]])
    np.testing.assert_allclose(attend(query, key, value), [[3.0]])
