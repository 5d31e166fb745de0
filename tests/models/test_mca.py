"""Modulated cross-attention against its formula."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import erf

from mavos_jax.config import MemoryConfig
from mavos_jax.models.forms import forms_for
from mavos_jax.models.mca import FocalContext, ModulatedCrossAttention

SIZE = (3, 5)
CHANNELS = 8
HEADS = 2


def gelu(x):
    return x * 0.5 * (1 + erf(x / np.sqrt(2)))


def layer_norm(x, weights):
    normed = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    return normed * weights["scale"] + weights["bias"]


def dense(x, weights):
    return x @ weights["kernel"] + weights.get("bias", 0)


def depthwise(x, kernel):
    side = kernel.shape[0]
    padded = np.pad(x, ((side // 2,) * 2, (side // 2,) * 2, (0, 0)))
    return sum(
        padded[i : i + x.shape[0], j : j + x.shape[1]] * kernel[i, j]
        for i in range(side)
        for j in range(side)
    )


def focal_context(context, weights, levels):
    projected = dense(context, weights["context"])
    z, gates = projected[..., :CHANNELS], projected[..., CHANNELS:]
    total = 0
    for level in range(levels):
        z = gelu(depthwise(z, weights[f"focal_{level}"]["kernel"]))
        total = total + z * gates[..., level : level + 1]
    total = total + gelu(z.mean((0, 1))) * gates[..., levels:]
    return dense(total, weights["modulator"])


def modulated_cross_attention(new, dynamic, weights, config):
    """The formula in double precision, values indexed one by one."""
    tokens = SIZE[0] * SIZE[1]
    context = layer_norm(dynamic, weights["memory_norm"])
    query = dense(layer_norm(new, weights["new_norm"]), weights["query"])
    key = dense(context, weights["key"])
    modulated = focal_context(
        context.reshape(*SIZE, CHANNELS), weights["focal"], config.focal_levels
    ).reshape(tokens, CHANNELS)
    values = modulated
    if config.released_value_layout:
        flat = [(i * CHANNELS + j) for i in range(tokens) for j in range(CHANNELS)]
        values = np.array([modulated[f % tokens, f // tokens] for f in flat])
        values = values.reshape(tokens, CHANNELS)
    depth = CHANNELS // HEADS
    heads = []
    for head in range(HEADS):
        part = slice(head * depth, (head + 1) * depth)
        logits = query[:, part] @ key[:, part].T / np.sqrt(depth)
        attention = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
        heads.append(attention @ values[:, part])
    out = new + dense(np.concatenate(heads, -1), weights["projection"])
    hidden = gelu(dense(layer_norm(out, weights["mlp_norm"]), weights["mlp_in"]))
    return out + dense(hidden, weights["mlp_out"])


def random_weights(module, *args):
    shapes = jax.eval_shape(lambda: module.init(jax.random.PRNGKey(0), *args))["params"]
    random = np.random.RandomState(0)
    return jax.tree.map(lambda x: 0.5 * random.randn(*x.shape), shapes)


@pytest.mark.parametrize("platform", ["cpu", "gpu"])
@pytest.mark.parametrize("focal_levels", [1, 2, 3])
@pytest.mark.parametrize("released_value_layout", [True, False])
def test_module_equals_the_formula(focal_levels, released_value_layout, platform):
    config = MemoryConfig(
        num_heads=HEADS, focal_levels=focal_levels, released_value_layout=released_value_layout
    )
    module = ModulatedCrossAttention(config, forms_for(platform))
    new, dynamic = np.random.RandomState(1).randn(2, SIZE[0] * SIZE[1], CHANNELS)
    arrays = [jnp.asarray(x, jnp.float32) for x in (new, dynamic)]
    weights = random_weights(module, *arrays, SIZE)
    expected = modulated_cross_attention(new, dynamic, weights, config)
    float32 = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), weights)
    found = np.asarray(module.apply({"params": float32}, *arrays, SIZE))
    np.testing.assert_allclose(found, expected, atol=3e-5)


def test_focal_kernels_grow_by_two_with_each_level():
    module = FocalContext(levels=3, forms=forms_for("cpu"))
    params = random_weights(module, jnp.zeros((*SIZE, CHANNELS)))
    assert [params[f"focal_{i}"]["kernel"].shape[0] for i in range(3)] == [3, 5, 7]
    assert params["context"]["kernel"].shape == (CHANNELS, CHANNELS + 4)
