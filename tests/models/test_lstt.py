"""The LSTT of AOT-L: every form equals plain NumPy; what reaches it, and what does not."""

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mavos_jax.config import LSTTConfig
from mavos_jax.models.attention import MASKED, attend_window
from mavos_jax.models.backend import Backend
from mavos_jax.models.layers import STREAM
from mavos_jax.models.lstt import LSTT, sine_position
from mavos_jax.models.memory import KeyValue

CONFIG = LSTTConfig(num_blocks=2, dim=8, num_heads=2, hidden_dim=64, window_radius=1)
SIZE = (3, 4)
TOKENS = SIZE[0] * SIZE[1]
BACKENDS = [
    Backend(short_term_tile=2, heads="sequential", groups="sequential"),
    Backend(short_term_tile=None, heads="batched", groups="batched"),
]


@functools.partial(jax.jit, static_argnums=(0, 1))
def apply(model, method, variables, *args, rngs=None):
    """One method of the network; what is of the map's size comes last."""
    size = () if method == "remember" else (SIZE,)
    return model.apply(variables, *args, *size, method=method, rngs=rngs)


def random_like(tree, seed=0):
    random = np.random.RandomState(seed)
    return jax.tree.map(lambda x: jnp.asarray(0.4 * random.randn(*x.shape), jnp.float32), tree)


@pytest.fixture(scope="module")
def variables():
    x = jnp.zeros((TOKENS, CONFIG.dim))
    model, key = LSTT(CONFIG, BACKENDS[1]), jax.random.PRNGKey(0)
    shapes = jax.eval_shape(lambda: model.init(key, x, x, SIZE, method="reference"))
    return random_like(shapes)


@pytest.fixture(scope="module")
def tokens():
    """The states of two frames, and the embedding of the first one's mask."""
    random = np.random.RandomState(1)
    return [jnp.asarray(random.randn(TOKENS, CONFIG.dim), jnp.float32) for _ in range(3)]


# The network from its description, in double precision and with loops


def linear(p, x):
    return x @ p["kernel"] + p["bias"]


def layer_norm(p, x, axes=(-1,)):
    x = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + 1e-5)
    return x.reshape(TOKENS, -1) * p["scale"] + p["bias"]


def softmax(x):
    weights = np.exp(x - x.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


def heads(x):
    return np.split(x, CONFIG.num_heads, axis=-1)


def attend(query, key, value):
    parts = zip(heads(query), heads(key), heads(value), strict=True)
    return np.concatenate(
        [softmax(q @ k.T / math.sqrt(q.shape[-1])) @ v for q, k, v in parts], axis=-1
    )


def attend_short_term(p, query, key, value):
    rows, columns = SIZE
    kernels, biases = heads(p["relative_key"]["kernel"]), heads(p["relative_key"]["bias"])
    out = []
    for head, (q, k, v) in enumerate(zip(heads(query), heads(key), heads(value), strict=True)):
        relative = q @ kernels[head] + biases[head]
        for i in range(TOKENS):
            places = [(i // columns + a // 3 - 1, i % columns + a % 3 - 1, a) for a in range(9)]
            inside = [(y, x, a) for y, x, a in places if 0 <= y < rows and 0 <= x < columns]
            near = [y * columns + x for y, x, _ in inside]
            offsets = [a for _, _, a in inside]
            weights = softmax(q[i] @ k[near].T / math.sqrt(q.shape[-1]) + relative[i, offsets])
            out.append(weights @ (v[near] + p["relative_value"][head][:, offsets].T))
    joined = np.concatenate(np.reshape(out, (CONFIG.num_heads, TOKENS, -1)), axis=-1)
    return linear(p["projection"], joined)


def perceptron(p, x):
    hidden = linear(p["in"], x).reshape(TOKENS, 32, -1)
    hidden = layer_norm(p["norm"], hidden, axes=(0, 2))
    hidden = hidden * (1 + np.vectorize(math.erf)(hidden / math.sqrt(2))) / 2
    padded = np.pad(hidden.reshape(*SIZE, -1), ((2, 2), (2, 2), (0, 0)))
    out = np.zeros((*SIZE, hidden.shape[-1]))
    for y, x in np.ndindex(5, 5):
        out += padded[y : y + SIZE[0], x : x + SIZE[1]] * p["depthwise"]["kernel"][y, x]
    return linear(p["out"], out.reshape(TOKENS, -1))


def run(params, x, identification, memories=None):
    """Returns the decoder's input and what the frame writes; without memories, of a reference."""
    position = np.asarray(sine_position(SIZE, CONFIG.dim), np.float64)
    states, written = [x], []
    for i in range(CONFIG.num_blocks):
        p = params[f"block_{i}"]
        own = p["self_attention"]
        s = layer_norm(p["self_norm"], x)
        attended = attend(
            linear(own["query"], s + position),
            linear(own["key"], s + position),
            linear(own["value"], s),
        )
        x = x + linear(own["projection"], attended)
        u = layer_norm(p["norm"], x)
        key, value = linear(p["query_key"], u), linear(p["value"], u + identification)
        written.append((key, value))
        long_term, short_term = memories[i] if memories else (written[i], written[i])
        x = x + linear(p["long_term"]["projection"], attend(key, *long_term))
        x = x + attend_short_term(p["short_term"], key, *short_term)
        x = x + perceptron(p["mlp"], layer_norm(p["mlp_norm"], x))
        states.append(layer_norm(params[f"norm_{i}"], x))
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


@pytest.mark.parametrize(
    ("size", "radius", "tile"), [((5, 9), 2, None), ((5, 9), 2, 4), ((3, 3), 7, 2)]
)
def test_relative_values_enter_by_their_offset(size, radius, tile):
    random = np.random.RandomState(2)
    tokens, side = size[0] * size[1], 2 * radius + 1
    relative = jnp.asarray(random.randn(tokens, side * side), jnp.float32)
    table = random.randn(side * side, 3)
    nothing = jnp.zeros((tokens, 3))
    attend = functools.partial(attend_window, size=size, radius=radius, tile=tile)
    found = jax.jit(attend)(nothing, nothing, nothing, relative, jnp.asarray(table, jnp.float32))
    y, x = np.mgrid[: size[0], : size[1]].reshape(2, -1, 1)
    dy, dx = np.mgrid[-radius : radius + 1, -radius : radius + 1].reshape(2, 1, -1)
    is_inside = (y + dy >= 0) & (y + dy < size[0]) & (x + dx >= 0) & (x + dx < size[1])
    expected = softmax(np.where(is_inside, relative, -np.inf)) @ table
    np.testing.assert_allclose(found, expected, atol=2e-6)


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
    model = LSTT(CONFIG, BACKENDS[1])

    def loss(params):
        changed = {**variables, "params": params}
        _, own = apply(model, "reference", changed, first, identification)
        found, _ = apply(model, "propagate", changed, second, own, own, None)
        return jnp.sum(jnp.asarray(found) ** 3)

    gradient = jax.jit(jax.grad(loss))(variables["params"])
    for path, leaf in jax.tree_util.tree_leaves_with_path(gradient):
        assert np.isfinite(leaf).all(), path
        assert np.abs(leaf).max() > 0, path


def test_training_pass_drops_updates(variables, tokens):
    x, _, identification = tokens
    model = LSTT(dataclasses.replace(CONFIG, drop_path=0.9), BACKENDS[1])

    def reference(seed=None):
        rngs = None if seed is None else {STREAM: jax.random.PRNGKey(seed)}
        out, _ = apply(model, "reference", variables, x, identification, rngs=rngs)
        return np.asarray(out)

    np.testing.assert_array_equal(reference(0), reference(0))
    assert len({reference(seed).tobytes() for seed in (None, 0, 1, 2)}) > 1
    undropped = LSTT(CONFIG, BACKENDS[1])
    expected, _ = apply(undropped, "reference", variables, x, identification)
    np.testing.assert_array_equal(reference(), expected)


def test_identities_reach_the_values_alone(variables, tokens):
    x, other, identification = tokens
    model = LSTT(CONFIG, BACKENDS[1])
    _, (first, *_) = apply(model, "reference", variables, x, identification)
    _, (second, *_) = apply(model, "reference", variables, x, other)
    assert isinstance(first, KeyValue)
    np.testing.assert_array_equal(first.key, second.key)
    # Affine: the difference is that of the embeddings, without a normalisation between.
    expected = (identification - other) @ variables["params"]["block_0"]["value"]["kernel"]
    np.testing.assert_allclose(first.value - second.value, expected, atol=1e-5)
