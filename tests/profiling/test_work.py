"""The work of a program, counted from its trace."""

import jax
import jax.numpy as jnp

from mavos_jax.profiling.work import count_work

A, B = jnp.ones((3, 5)), jnp.ones((5, 7))


def flops(function, *arguments, counts_loops=True):
    jaxpr = jax.jit(function).trace(*arguments).jaxpr
    return count_work(jaxpr, counts_loops=counts_loops).flops


def test_a_product_takes_two_operations_per_pair():
    assert flops(jnp.matmul, A, B) == 2 * 3 * 5 * 7
    batched = jax.vmap(jnp.matmul, in_axes=(0, None))
    assert flops(batched, jnp.ones((4, 3, 5)), B) == 4 * 2 * 3 * 5 * 7


def test_a_convolution_takes_its_kernel_at_every_place():
    def convolve(x, kernel, groups=1):
        return jax.lax.conv_general_dilated(
            x,
            kernel,
            window_strides=(2, 2),
            padding="VALID",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=groups,
        )

    x = jnp.ones((1, 9, 9, 6))
    assert flops(convolve, x, jnp.ones((3, 3, 6, 8))) == 2 * 4 * 4 * 8 * (3 * 3 * 6)
    depthwise = flops(lambda x, k: convolve(x, k, 6), x, jnp.ones((3, 3, 1, 6)))
    assert depthwise == 2 * 4 * 4 * 6 * (3 * 3)


def test_loops_count_as_often_as_they_run():
    def repeat(x):
        return jax.lax.scan(lambda x, _: (x @ x, None), x, None, length=6)[0]

    once = 2 * 4**3
    assert flops(repeat, jnp.ones((4, 4))) == 6 * once
    assert flops(repeat, jnp.ones((4, 4)), counts_loops=False) == once
    nested = flops(lambda x: jax.lax.map(repeat, x), jnp.ones((3, 4, 4)))
    assert nested == 3 * 6 * once


def test_the_costliest_branch_counts():
    def choose(x, flag):
        return jax.lax.cond(flag, lambda: x @ x @ x, lambda: x @ x)

    assert flops(choose, jnp.ones((4, 4)), True) == 2 * 2 * 4**3
