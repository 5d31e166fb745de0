import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from models.formulas import (
    attend_heads,
    attend_windows,
    dense,
    depthwise,
    gelu,
    layer_norm,
    normalise,
)

from mavos_jax.config import LSTTConfig
from mavos_jax.models.attention import MASKED
from mavos_jax.models.backend import Backend
from mavos_jax.models.layers import STREAM
from mavos_jax.models.lstt import LSTT, sine_position

CONFIG = LSTTConfig(num_blocks=2, dim=8, num_heads=2, hidden_dim=64, window_radius=1)
SIZE = (3, 4)
TOKENS = SIZE[0] * SIZE[1]
BACKENDS = [
    Backend(short_term_tile=2, heads="sequential", groups="sequential"),
    Backend(short_term_tile=None, heads="batched", groups="batched"),
]
MODEL = LSTT(CONFIG, BACKENDS[1])
KEYS = [jax.random.PRNGKey(seed) for seed in range(3)]


@functools.partial(jax.jit, static_argnums=(0, 1))
def apply(model, method, variables, *args, rngs=None):
    """One method of the network; what is of the map's size comes last."""
    size = () if method == "remember" else (SIZE,)
    return model.apply(variables, *args, *size, method=method, rngs=rngs)


@pytest.fixture(scope="module")
def variables():
    x, random = jnp.zeros((TOKENS, CONFIG.dim)), np.random.RandomState(0)
    shapes = jax.eval_shape(lambda: MODEL.init(KEYS[0], x, x, SIZE, method="reference"))
    return jax.tree.map(lambda x: jnp.asarray(0.4 * random.randn(*x.shape), jnp.float32), shapes)


@pytest.fixture(scope="module")
def tokens():
    """The states of two frames, and the embedding of the first one's mask."""
    random = np.random.RandomState(1)
    return [jnp.asarray(random.randn(TOKENS, CONFIG.dim), jnp.float32) for _ in range(3)]


def attend(query, key, value):
    return attend_heads(query, key, value, CONFIG.num_heads)


def attend_short_term(p, query, key, value):
    kernel, bias = p["relative_key"]["kernel"], p["relative_key"]["bias"]
    split = (np.split(x, CONFIG.num_heads, axis=-1) for x in (query, key, value, kernel, bias))
    heads = [
        attend_windows(q / math.sqrt(q.shape[-1]), k, v, q @ kernel + bias, table.T, SIZE, 1)
        for q, k, v, kernel, bias, table in zip(*split, p["relative_value"], strict=True)
    ]
    return dense(np.concatenate(heads, axis=-1), p["projection"])


def perceptron(p, x):
    hidden = normalise(dense(x, p["in"]).reshape(TOKENS, 32, -1), (0, 2)).reshape(TOKENS, -1)
    hidden = gelu(hidden * p["norm"]["scale"] + p["norm"]["bias"])
    hidden = depthwise(hidden.reshape(*SIZE, -1), p["depthwise"]["kernel"])
    return dense(hidden.reshape(TOKENS, -1), p["out"])


def run(params, x, identification, memories=None):
    """Returns the decoder's input and what the frame writes; without memories, of a reference."""
    position = np.asarray(sine_position(SIZE, CONFIG.dim), np.float64)
    states, written = [x], []
    for i in range(CONFIG.num_blocks):
        p = params[f"block_{i}"]
        own = p["self_attention"]
        s = layer_norm(x, p["self_norm"])
        attended = attend(
            dense(s + position, own["query"]),
            dense(s + position, own["key"]),
            dense(s, own["value"]),
        )
        x = x + dense(attended, own["projection"])
        u = layer_norm(x, p["norm"])
        key, value = dense(u, p["query_key"]), dense(u + identification, p["value"])
        written.append((key, value))
        long_term, short_term = memories[i] if memories else (written[i], written[i])
        x = x + dense(attend(key, *long_term), p["long_term"]["projection"])
        x = x + attend_short_term(p["short_term"], key, *short_term)
        x = x + perceptron(p["mlp"], layer_norm(x, p["mlp_norm"]))
        states.append(layer_norm(x, params[f"norm_{i}"]))
    return np.concatenate(states, axis=-1).reshape(*SIZE, -1), written


def in_double(tree):
    return jax.tree.map(lambda x: np.asarray(x, np.float64), tree)


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda backend: backend.heads)
def test_network_equals_numpy(variables, tokens, backend):
    first, second, identification = tokens
    model, params = LSTT(CONFIG, backend), in_double(variables["params"])
    x, y, embedding = in_double(tokens)

    expected, reference = run(params, x, embedding)
    found, written = apply(model, "reference", variables, first, identification)
    np.testing.assert_allclose(found, expected, atol=2e-5)

    # A bank of three frames, the last place unused.
    long_term = jax.tree.map(lambda x: jnp.concatenate([x, x[::-1], 1e3 + x]), written)
    bias = jnp.where(jnp.arange(3 * TOKENS) < 2 * TOKENS, 0.0, MASKED)
    found, pending = apply(model, "propagate", variables, second, long_term, written, bias)
    banks = [tuple(np.concatenate([x, x[::-1]]) for x in pair) for pair in reference]
    memories = list(zip(banks, reference, strict=True))
    expected, kept = run(params, y, embedding[::-1], memories)
    np.testing.assert_allclose(found, expected, atol=2e-5)

    remembered = apply(model, "remember", variables, pending, identification[::-1])
    for pair, expected_pair in zip(remembered, kept, strict=True):
        np.testing.assert_allclose(pair.key, expected_pair[0], atol=2e-5)
        np.testing.assert_allclose(pair.value, expected_pair[1], atol=2e-5)


def test_position_embedding_is_that_of_the_description():
    rows, columns, dim = 4, 7, 256
    found = np.asarray(sine_position((rows, columns), dim)).reshape(rows, columns, dim)
    for row, column, m in [(0, 0, 0), (3, 6, 0), (1, 2, 5), (2, 5, 63)]:
        for place, places, first in [(row, rows, 0), (column, columns, 128)]:
            angle = 2 * math.pi * place / (places - 1 + 1e-6) / 10000 ** (2 * m / 128)
            pair = found[row, column, first + 2 * m : first + 2 * m + 2]
            np.testing.assert_allclose(pair, [math.sin(angle), math.cos(angle)], atol=1e-6)
    assert np.isfinite(sine_position((1, 1), 8)).all()


def test_gradient_reaches_every_parameter(variables, tokens):
    first, second, identification = tokens

    def loss(params):
        changed = {**variables, "params": params}
        _, own = apply(MODEL, "reference", changed, first, identification)
        found, _ = apply(MODEL, "propagate", changed, second, own, own, None)
        return jnp.sum(jnp.asarray(found) ** 3)

    gradient = jax.jit(jax.grad(loss))(variables["params"])
    for path, leaf in jax.tree_util.tree_leaves_with_path(gradient):
        assert np.isfinite(leaf).all(), path
        assert np.abs(leaf).max() > 0, path


def test_training_pass_drops_updates(variables, tokens):
    x, _, identification = tokens
    dropping = LSTT(dataclasses.replace(CONFIG, drop_path=0.9), BACKENDS[1])

    def reference(model, key=None):
        rngs = None if key is None else {STREAM: key}
        out, _ = apply(model, "reference", variables, x, identification, rngs=rngs)
        return np.asarray(out)

    np.testing.assert_array_equal(reference(dropping, KEYS[0]), reference(dropping, KEYS[0]))
    assert len({reference(dropping, key).tobytes() for key in (None, *KEYS)}) > 1
    np.testing.assert_array_equal(reference(dropping), reference(MODEL))
