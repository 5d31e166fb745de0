import jax
import jax.numpy as jnp
import numpy as np
import pytest
from models.formulas import attend_heads, dense, depthwise, gelu, layer_norm

from mavos_jax.config import MemoryConfig
from mavos_jax.models.backend import backend_for
from mavos_jax.models.mca import ModulatedCrossAttention

SIZE = (3, 5)
CHANNELS = 8
HEADS = 2
OUTPUTS = ("projection", "mlp_out")


def focal_context(context, weights, levels):
    projected = dense(context, weights["context"])
    z, gates = projected[..., :CHANNELS], projected[..., CHANNELS:]
    total = 0
    for level in range(levels):
        z = gelu(depthwise(z, weights[f"focal_{level}"]["kernel"]))
        total = total + z * gates[..., level : level + 1]
    total = total + gelu(z.mean((0, 1))) * gates[..., levels:]
    return dense(total, weights["modulator"])


def fuse(new, dynamic, weights, config):
    """The formula in double precision, values indexed one by one."""
    tokens = SIZE[0] * SIZE[1]
    context = layer_norm(dynamic, weights["memory_norm"])
    query = dense(layer_norm(new, weights["new_norm"]), weights["query"])
    if config.write == "cross_attention":
        values = dense(context, weights["value"])
    else:
        places = context.reshape(*SIZE, CHANNELS)
        values = focal_context(places, weights["focal"], config.focal_levels)
        values = values.reshape(tokens, CHANNELS)
    if config.write == "mca" and config.released_value_layout:
        flat = [values[f % tokens, f // tokens] for f in range(tokens * CHANNELS)]
        values = np.reshape(flat, (tokens, CHANNELS))
    if config.write == "focal_modulation":
        fused = query * values
    else:
        fused = attend_heads(query, dense(context, weights["key"]), values, HEADS)
    out = new + dense(fused, weights["projection"])
    hidden = gelu(dense(layer_norm(out, weights["mlp_norm"]), weights["mlp_in"]))
    return out + dense(hidden, weights["mlp_out"])


def build(config, platform):
    """The module with two maps and random weights in double precision."""
    module = ModulatedCrossAttention(config, backend_for(platform))
    maps = np.random.RandomState(1).randn(2, SIZE[0] * SIZE[1], CHANNELS)
    inputs, random = (*jnp.asarray(maps, jnp.float32), SIZE), np.random.RandomState(0)
    shapes = jax.eval_shape(lambda: module.init(jax.random.PRNGKey(0), *inputs))["params"]
    return module, maps, jax.tree.map(lambda x: 0.5 * random.randn(*x.shape), shapes)


def sum_of_squares(module, weights, maps):
    return jnp.square(jnp.asarray(module.apply({"params": weights}, *maps, SIZE))).sum()


WRITES = [
    *({"focal_levels": n, "released_value_layout": x} for n in (1, 2, 3) for x in (True, False)),
    *({"write": "cross_attention"}, {"write": "focal_modulation"}),
]


@pytest.mark.parametrize("platform", ["cpu", "gpu"])
@pytest.mark.parametrize("fields", WRITES)
def test_module_equals_the_formula(fields, platform):
    config = MemoryConfig(num_heads=HEADS, **fields)
    module, (new, dynamic), weights = build(config, platform)
    float32 = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), (new, dynamic, weights))
    found = np.asarray(module.apply({"params": float32[2]}, *float32[:2], SIZE))
    np.testing.assert_allclose(found, fuse(new, dynamic, weights, config), atol=3e-5)


@pytest.mark.parametrize("write", ["mca", "cross_attention", "focal_modulation"])
def test_from_zero_a_write_stores_the_frame_itself_and_can_learn_more(write):
    module, maps, _ = build(MemoryConfig(write=write, num_heads=HEADS, zero_start=True), "cpu")
    new, dynamic = jnp.asarray(maps, jnp.float32)
    weights = module.init(jax.random.PRNGKey(0), new, dynamic, SIZE)["params"]
    gradient = jax.grad(sum_of_squares, 1)
    np.testing.assert_array_equal(module.apply({"params": weights}, new, dynamic, SIZE), new)
    found = gradient(module, weights, (new, dynamic))
    assert all(float(abs(found[name]["kernel"]).max()) > 0.1 for name in OUTPUTS)
    moved = jax.tree.map(lambda x, y: x - 0.01 * y, weights, found)
    found = gradient(module, moved, (new, dynamic))
    assert min(float(abs(x).max()) for x in jax.tree.leaves(found)) > 0
