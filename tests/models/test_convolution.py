import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mavos_jax.models.convolution import convolve, depthwise

DIMENSIONS = ("NHWC", "HWIO", "NHWC")

# size, kernel, stride, padding
DENSE = [
    *(((9, 8), 1, 2, 0), ((9, 8), 3, 1, 1), ((8, 9), 3, 1, 0), ((7, 8), 3, 1, 4)),
    *(((33, 30), 3, 2, 1), ((9, 8), 3, 16, 1), ((11, 10), 5, 2, 1), ((20, 19), 7, 2, 3)),
    *(((16, 32), 16, 16, 0), ((40, 37), 17, 16, 8)),
]
# size, kernel, stride, dilation
DEPTHWISE = [
    *(((9, 8), 1, 1, 1), ((9, 8), 3, 1, 1), ((9, 8), 3, 2, 1), ((8, 9), 3, 2, 2)),
    *(((9, 8), 3, 1, 2), ((7, 6), 5, 1, 1), ((10, 9), 5, 2, 2), ((4, 3), 7, 1, 1)),
    *(((19, 20), 7, 2, 1), ((33, 20), 5, 16, 1)),
]


def dense_pair(stride, padding):
    options = {"window_strides": (stride, stride), "padding": ((padding, padding),) * 2}
    theirs = functools.partial(jax.lax.conv_general_dilated, dimension_numbers=DIMENSIONS)
    return (functools.partial(function, **options) for function in (convolve, theirs))


def depthwise_pair(kernel, stride, dilation, gradient="products"):
    padding = dilation * (kernel // 2)

    def theirs(x, weights):
        return jax.lax.conv_general_dilated(
            *(x[None], weights[:, :, None], (stride, stride), [(padding, padding)] * 2),
            rhs_dilation=(dilation, dilation),
            dimension_numbers=DIMENSIONS,
            feature_group_count=x.shape[-1],
        )[0]

    return lambda x, weights: depthwise(x, weights, stride, dilation, gradient), theirs


def compare(pair, *shapes, dtype=jnp.float32, mark=1e-5, is_mapped=False):
    """Compares outputs, and gradients of map and kernel, relative to the largest value."""
    *keys, last = jax.random.split(jax.random.PRNGKey(0), 3)

    def run(function, x, kernel):
        out, back = jax.vjp(function, x, kernel)
        return out, *back(jax.random.normal(last, out.shape, dtype))

    pairs = zip(keys, shapes, strict=True)
    x, kernel = (jax.random.normal(key, shape, dtype) for key, shape in pairs)
    results = []
    for function in pair:
        one = functools.partial(run, function)
        many = jax.vmap(one, (0, None)) if is_mapped else one
        results.append(jax.jit(many)(jnp.stack([x, -2 * x]) if is_mapped else x, kernel))
    for one, other in zip(*results, strict=True):
        assert one.dtype == other.dtype
        one, other = (np.asarray(x, np.float32) for x in (one, other))
        np.testing.assert_allclose(one, other, rtol=0, atol=mark * np.abs(other).max())


@pytest.mark.parametrize(("size", "kernel", "stride", "padding"), DENSE)
def test_dense(size, kernel, stride, padding):
    compare(dense_pair(stride, padding), (2, *size, 3), (kernel, kernel, 3, 5))


@pytest.mark.parametrize("gradient", ["products", "xla"])
@pytest.mark.parametrize(("size", "kernel", "stride", "dilation"), DEPTHWISE)
def test_depthwise(size, kernel, stride, dilation, gradient):
    compare(depthwise_pair(kernel, stride, dilation, gradient), (*size, 6), (kernel, kernel, 6))


def test_mapped_over_samples():
    compare(dense_pair(2, 1), (2, 9, 8, 3), (3, 3, 3, 5), is_mapped=True)
    compare(depthwise_pair(3, 2, 1), (9, 8, 6), (3, 3, 6), is_mapped=True)


def test_dense_in_bfloat16():
    compare(dense_pair(2, 3), (2, 20, 19, 3), (7, 7, 3, 5), dtype=jnp.bfloat16, mark=2e-2)
