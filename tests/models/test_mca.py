"""Modulated cross-attention and its two alternatives against their formulas."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import erf

from mavos_jax.config import MemoryConfig
from mavos_jax.models.backend import backend_for
from mavos_jax.models.mca import FocalContext, ModulatedCrossAttention

SIZE = (3, 5)
CHANNELS = 8
HEADS = 2
OUTPUTS = ("projection", "mlp_out")


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


def attend_heads(query, key, values):
    depth = CHANNELS // HEADS
    heads = []
    for head in range(HEADS):
        part = slice(head * depth, (head + 1) * depth)
        logits = query[:, part] @ key[:, part].T / np.sqrt(depth)
        attention = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
        heads.append(attention @ values[:, part])
    return np.concatenate(heads, -1)


def fuse(new, dynamic, weights, config):
    """The formula in double precision, values indexed one by one."""
    tokens = SIZE[0] * SIZE[1]
    context = layer_norm(dynamic, weights["memory_norm"])
    query = dense(layer_norm(new, weights["new_norm"]), weights["query"])
    if config.write == "cross_attention":
        fused = attend_heads(
            query, dense(context, weights["key"]), dense(context, weights["value"])
        )
    else:
        modulated = focal_context(
            context.reshape(*SIZE, CHANNELS), weights["focal"], config.focal_levels
        ).reshape(tokens, CHANNELS)
        if config.write == "focal_modulation":
            fused = query * modulated
        else:
            values = modulated
            if config.released_value_layout:
                flat = [(i * CHANNELS + j) for i in range(tokens) for j in range(CHANNELS)]
                values = np.array([modulated[f % tokens, f // tokens] for f in flat])
                values = values.reshape(tokens, CHANNELS)
            fused = attend_heads(query, dense(context, weights["key"]), values)
    out = new + dense(fused, weights["projection"])
    hidden = gelu(dense(layer_norm(out, weights["mlp_norm"]), weights["mlp_in"]))
    return out + dense(hidden, weights["mlp_out"])


def random_weights(module, *args):
    shapes = jax.eval_shape(lambda: module.init(jax.random.PRNGKey(0), *args))["params"]
    random = np.random.RandomState(0)
    return jax.tree.map(lambda x: 0.5 * random.randn(*x.shape), shapes)


def build(config, platform):
    """The module with two maps and random weights in double precision."""
    module = ModulatedCrossAttention(config, backend_for(platform))
    maps = np.random.RandomState(1).randn(2, SIZE[0] * SIZE[1], CHANNELS)
    return module, maps, random_weights(module, *jnp.asarray(maps, jnp.float32), SIZE)


def assert_equal_to_formula(config, platform):
    module, (new, dynamic), weights = build(config, platform)
    float32 = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), (new, dynamic, weights))
    found = np.asarray(module.apply({"params": float32[2]}, *float32[:2], SIZE))
    np.testing.assert_allclose(found, fuse(new, dynamic, weights, config), atol=3e-5)


@pytest.mark.parametrize("platform", ["cpu", "gpu"])
@pytest.mark.parametrize("focal_levels", [1, 2, 3])
@pytest.mark.parametrize("released_value_layout", [True, False])
def test_module_equals_the_formula(focal_levels, released_value_layout, platform):
    config = MemoryConfig(
        num_heads=HEADS, focal_levels=focal_levels, released_value_layout=released_value_layout
    )
    assert_equal_to_formula(config, platform)


@pytest.mark.parametrize("write", ["cross_attention", "focal_modulation"])
def test_alternatives_equal_their_formulas(write):
    assert_equal_to_formula(MemoryConfig(write=write, num_heads=HEADS), "cpu")


def layers_of(config):
    """The layers of a module, at the first level."""
    return set(build(config, "cpu")[2])


def test_alternatives_have_the_layers_that_they_use_and_no_others():
    shared = {"new_norm", "memory_norm", "query", "projection", "mlp_norm", "mlp_in", "mlp_out"}
    assert layers_of(MemoryConfig(num_heads=HEADS)) == shared | {"key", "focal"}
    focal = MemoryConfig(write="focal_modulation", num_heads=3)
    assert layers_of(focal) == shared | {"focal"}
    config = MemoryConfig(write="cross_attention", num_heads=HEADS)
    assert layers_of(config) == shared | {"key", "value"}
    shapes = jax.tree.map(np.shape, build(config, "cpu")[2])
    assert shapes["value"] == shapes["key"] == {"kernel": (CHANNELS, CHANNELS)}


@pytest.mark.parametrize("write", ["mca", "cross_attention", "focal_modulation"])
def test_gradient_reaches_every_weight_and_both_frames(write):
    module, maps, weights = build(MemoryConfig(write=write, num_heads=HEADS), "cpu")
    weights, maps = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), (weights, tuple(maps)))

    def loss(weights, maps):
        return jnp.square(jnp.asarray(module.apply({"params": weights}, *maps, SIZE))).sum()

    found = jax.grad(loss, (0, 1))(weights, maps)
    gradients = jax.tree.map(lambda x: float(abs(x).max()), found)
    assert min(jax.tree.leaves(gradients)) > 1e-4


@pytest.mark.parametrize("write", ["mca", "cross_attention", "focal_modulation"])
def test_from_zero_a_write_stores_the_frame_itself_and_can_learn_more(write):
    config = MemoryConfig(write=write, num_heads=HEADS, zero_start=True)
    module, maps, _ = build(config, "cpu")
    new, dynamic = jnp.asarray(maps, jnp.float32)
    weights = module.init(jax.random.PRNGKey(0), new, dynamic, SIZE)
    np.testing.assert_array_equal(module.apply(weights, new, dynamic, SIZE), new)

    def loss(weights):
        return jnp.square(jnp.asarray(module.apply(weights, new, dynamic, SIZE))).sum()

    gradients = jax.grad(loss)(weights)["params"]
    assert all(float(abs(gradients[name]["kernel"]).max()) > 0.1 for name in OUTPUTS)
    moved = jax.tree.map(lambda x, y: x - 0.01 * y, weights["params"], gradients)
    gradients = jax.grad(loss)({"params": moved})["params"]
    assert min(float(abs(x).max()) for x in jax.tree.leaves(gradients)) > 0


def test_focal_kernels_grow_by_two_with_each_level():
    module = FocalContext(levels=3, backend=backend_for("cpu"))
    params = random_weights(module, jnp.zeros((*SIZE, CHANNELS)))
    assert [params[f"focal_{i}"]["kernel"].shape[0] for i in range(3)] == [3, 5, 7]
    assert params["context"]["kernel"].shape == (CHANNELS, CHANNELS + 4)
