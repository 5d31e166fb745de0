"""What the device reaches at best: a large matrix product and a large copy."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from mavos_jax.profiling.precision import Precision
from mavos_jax.profiling.programs import Cost, compile_function
from mavos_jax.profiling.rounds import Sampler, seconds
from mavos_jax.runtime.devices import products_in

_ROWS = {"cpu": 4096}
_ROWS_OF_ACCELERATORS = 8192
_COPY_BYTES = 2**28


class Ceilings(NamedTuple):
    """Rates of the device.

    Attributes:
      flops: of a matrix product, a second.
      bytes: read and written by a copy, a second.
    """

    flops: float
    bytes: float

    def least_seconds(self, cost: Cost) -> float:
        """Returns the time of a program that only computes, or only reads and writes, at best."""
        return max(cost.flops / self.flops, cost.least_bytes / self.bytes)


def product_sampler(precision: Precision, rows: int | None = None) -> Sampler:
    """Measures the rate of a product of square matrices.

    Args:
      precision: of the operands; sums are float32.
      rows: of the matrices; by default 4096 on a CPU and 8192 elsewhere.
    """
    rows = rows or _ROWS.get(jax.default_backend(), _ROWS_OF_ACCELERATORS)
    dtype = jnp.bfloat16 if precision == "bfloat16" else jnp.float32
    x = jax.random.normal(jax.random.PRNGKey(0), (rows, rows)).astype(dtype)

    def multiply(x: jax.Array) -> jax.Array:
        return jnp.matmul(x, x, preferred_element_type=jnp.float32)

    with products_in(precision):
        program = compile_function(multiply, x)
    return lambda: {"flops": 2.0 * rows**3 / seconds(lambda: program.run(x))}


def copy_sampler(num_bytes: int = _COPY_BYTES) -> Sampler:
    """Measures the rate of reading so many bytes and writing as many."""
    x = jnp.zeros(num_bytes // 4, jnp.float32)
    program = compile_function(_negate, x)
    return lambda: {"bytes": 2.0 * x.nbytes / seconds(lambda: program.run(x))}


def _negate(x: jax.Array) -> Any:
    # The compiler may drop a plain copy.
    return -x
