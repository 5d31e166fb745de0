"""Each kind of layer computes what the PyTorch module does, with the converted tensors."""

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from mavos_jax.conversion.layouts import (
    BATCH_NORM,
    CONV,
    CONV_NO_BIAS,
    DEPTHWISE,
    LINEAR,
    LINEAR_NO_BIAS,
    NORM,
    POINTWISE,
    Layout,
)
from mavos_jax.models.backend import backend_for
from mavos_jax.models.layers import DepthwiseConv, FrozenBatchNorm, conv, group_norm, layer_norm

TOLERANCE = {"rtol": 0, "atol": 3e-6}


def variables_of(kind, module):
    variables = {"params": {}, "constants": {}}
    state = module.state_dict()
    for leaf, collection, name, layout in kind:
        variables[collection][name] = jnp.asarray(layout.to_flax(state.pop(leaf).numpy()))
    state.pop("num_batches_tracked", None)
    assert not state, "the kind leaves no tensor out"
    return variables


BACKEND = backend_for("cpu")


def randomise(module):
    generator = torch.Generator().manual_seed(0)
    for tensor in [*module.parameters(), *module.buffers()]:
        if tensor.is_floating_point():
            # Positive, so that it can be a variance, too.
            tensor.data = torch.rand(tensor.shape, generator=generator) + 0.1
    return module.eval()


@pytest.mark.parametrize(
    ("kind", "module", "layer"),
    [
        (CONV, torch.nn.Conv2d(3, 5, 3, 2, 1), conv(5, 3, "x", BACKEND, stride=2, padding=1)),
        (
            CONV_NO_BIAS,
            torch.nn.Conv2d(3, 5, (3, 3), bias=False),
            conv(5, 3, "x", BACKEND, bias=False),
        ),
        (POINTWISE, torch.nn.Conv2d(3, 5, 1), nn.Dense(5)),
        (
            DEPTHWISE,
            torch.nn.Conv2d(3, 3, 5, padding=2, groups=3, bias=False),
            DepthwiseConv(5, BACKEND),
        ),
        (BATCH_NORM, torch.nn.BatchNorm2d(3), FrozenBatchNorm()),
        (NORM, torch.nn.GroupNorm(3, 3), group_norm(3, "x")),
    ],
    ids=["conv", "conv_no_bias", "pointwise", "depthwise", "batch_norm", "group_norm"],
)
def test_layers_of_maps(kind, module, layer):
    x = np.random.RandomState(0).randn(3, 6, 7).astype(np.float32)
    with torch.no_grad():
        expected = randomise(module)(torch.from_numpy(x)[None])[0].numpy()
    found = layer.apply(variables_of(kind, module), jnp.asarray(x.transpose(1, 2, 0)))
    np.testing.assert_allclose(np.transpose(found, (2, 0, 1)), expected, **TOLERANCE)


@pytest.mark.parametrize(
    ("kind", "module", "layer"),
    [
        (LINEAR, torch.nn.Linear(6, 4), nn.Dense(4)),
        (LINEAR_NO_BIAS, torch.nn.Linear(6, 4, bias=False), nn.Dense(4, use_bias=False)),
        (NORM, torch.nn.LayerNorm(6), layer_norm("x")),
    ],
    ids=["linear", "linear_no_bias", "layer_norm"],
)
def test_layers_of_tokens(kind, module, layer):
    x = np.random.RandomState(0).randn(5, 6).astype(np.float32)
    with torch.no_grad():
        expected = randomise(module)(torch.from_numpy(x)).numpy()
    found = layer.apply(variables_of(kind, module), jnp.asarray(x))
    np.testing.assert_allclose(found, expected, **TOLERANCE)


@pytest.mark.parametrize(
    ("layout", "shape"),
    [
        (Layout.SAME, (7,)),
        (Layout.LINEAR, (2, 3)),
        (Layout.POINTWISE, (2, 3, 1, 1)),
        (Layout.CONV, (2, 3, 4, 5)),
        (Layout.DEPTHWISE, (2, 1, 4, 5)),
    ],
)
def test_layouts_are_inverted(layout, shape):
    x = np.arange(np.prod(shape)).reshape(shape)
    flax = layout.to_flax(x)
    assert layout.torch_shape(flax.shape) == shape
    np.testing.assert_array_equal(layout.to_torch(flax), x)
