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


def draw(*shapes):
    keys = jax.random.split(jax.random.PRNGKey(0), len(shapes))
    return [jax.random.normal(key, shape) for key, shape in zip(keys, shapes, strict=True)]


def with_gradients(function):
    """A function of map and kernel as one of both and the gradient of the output."""

    def run(x, kernel, gradient):
        out, back = jax.vjp(function, x, kernel)
        return out, *back(gradient)

    return run


def check(found, expected, mark=1e-5):
    """Compares the output and the gradients of map and kernel, relative to the largest value."""
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        one, other = (np.asarray(x, np.float32) for x in (one, other))
        np.testing.assert_allclose(one, other, rtol=0, atol=mark * np.abs(other).max())


def dense_pair(stride, padding):
    strides, around = (stride, stride), ((padding, padding), (padding, padding))
    expected = functools.partial(
        jax.lax.conv_general_dilated,
        window_strides=strides,
        padding=around,
        dimension_numbers=DIMENSIONS,
    )
    return lambda x, kernel: convolve(x, kernel, strides, around), expected


def depthwise_pair(kernel, stride, dilation, gradient="products"):
    padding = dilation * (kernel // 2)

    def expected(x, weights):
        return jax.lax.conv_general_dilated(
            *(x[None], weights[:, :, None], (stride, stride), [(padding, padding)] * 2),
            rhs_dilation=(dilation, dilation),
            dimension_numbers=DIMENSIONS,
            feature_group_count=x.shape[-1],
        )[0]

    return lambda x, weights: depthwise(x, weights, stride, dilation, gradient), expected


def arrays_for(pair, x, kernel):
    x, kernel = draw(x, kernel)
    return x, kernel, *draw(jax.eval_shape(pair[1], x, kernel).shape)


def run(pair, arrays):
    return jax.jit(lambda *x: [with_gradients(function)(*x) for function in pair])(*arrays)


@pytest.mark.parametrize(("size", "kernel", "stride", "padding"), DENSE)
def test_dense(size, kernel, stride, padding):
    pair = dense_pair(stride, padding)
    check(*run(pair, arrays_for(pair, (2, *size, 3), (kernel, kernel, 3, 5))))


@pytest.mark.parametrize("gradient", ["products", "xla"])
@pytest.mark.parametrize(("size", "kernel", "stride", "dilation"), DEPTHWISE)
def test_depthwise(size, kernel, stride, dilation, gradient):
    pair = depthwise_pair(kernel, stride, dilation, gradient)
    check(*run(pair, arrays_for(pair, (*size, 6), (kernel, kernel, 6))))


@pytest.mark.parametrize(
    ("pair", "x", "kernel"),
    [
        (dense_pair(2, 1), (2, 9, 8, 3), (3, 3, 3, 5)),
        (depthwise_pair(3, 2, 1), (9, 8, 6), (3, 3, 6)),
    ],
    ids=["dense", "depthwise"],
)
def test_mapped_over_samples(pair, x, kernel):
    x, kernel, gradient = arrays_for(pair, x, kernel)

    x, gradient = jnp.stack([x, -2 * x]), jnp.stack([gradient, gradient + 1])
    mapped = (jax.vmap(with_gradients(function), (0, None, 0)) for function in pair)
    check(*(jax.jit(function)(x, kernel, gradient) for function in mapped))


def test_dense_in_bfloat16():
    pair = dense_pair(2, 3)
    arrays = [x.astype(jnp.bfloat16) for x in arrays_for(pair, (2, 20, 19, 3), (7, 7, 3, 5))]
    check(*run(pair, arrays), mark=2e-2)
