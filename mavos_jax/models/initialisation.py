"""Fresh weights, drawn by a handful of small programs instead of one for each shape.

A first pass only notes which arrays are to be drawn. The first n of 2^k random numbers are the n
that JAX would draw by themselves, so a program for each 2^k serves every shape.
"""

import contextvars
import functools
import math
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from mavos_jax.runtime.trees import leaves_by_path, nested

Distribution = Literal["uniform", "normal", "truncated_normal"]
Shape = tuple[int, ...]
Initializer = Callable[..., Array]

SMALLEST_DRAW = 2**14


class _Draw(NamedTuple):
    distribution: Distribution
    shape: Shape
    factor: np.float32


_Note = tuple[Array, Array, _Draw]
"""What stands for the array among the variables, its key, and what it is to be."""

_NOTES: contextvars.ContextVar[list[_Note] | None] = contextvars.ContextVar("notes", default=None)


def initialise(init: Callable[[Array], Mapping[str, Any]]) -> Callable[[Array], dict[str, Any]]:
    """Returns a function of a key that equals ``jax.jit(init)`` bit for bit and compiles faster."""
    draws: dict[str, _Draw] = {}

    @jax.jit
    def outline(key: Array) -> tuple[dict[str, Array], dict[str, Array]]:
        """Returns the arrays that are not drawn, and the keys of those that are, by path."""
        notes: list[_Note] = []
        token = _NOTES.set(notes)
        try:
            leaves = leaves_by_path(init(key))
        finally:
            _NOTES.reset(token)
        paths = {id(leaf): path for path, leaf in leaves.items()}
        keys = {paths[id(placeholder)]: key for placeholder, key, _ in notes}
        draws.update({paths[id(placeholder)]: draw for placeholder, _, draw in notes})
        return {path: leaf for path, leaf in leaves.items() if path not in keys}, keys

    def run(key: Array) -> dict[str, Any]:
        leaves, keys = outline(key)
        drawn = {path: _draw(key, draws[path]) for path, key in keys.items()}
        return nested(leaves | jax.device_put(drawn))

    return run


def _draw(key: Array, draw: _Draw) -> np.ndarray:
    size = math.prod(draw.shape)
    count = max(SMALLEST_DRAW, 1 << (size - 1).bit_length())
    samples = np.asarray(_sample(key, draw.distribution, (count,)))
    return (samples[:size] * draw.factor).reshape(draw.shape)


def _drawn(distribution: Distribution, factor: Callable[[Shape], np.float32]) -> Initializer:
    def init(key: Array, shape: Shape, dtype: Any = jnp.float32) -> Array:
        notes = _NOTES.get()
        if notes is None:
            return _sample(key, distribution, tuple(shape)) * factor(shape)
        placeholder = jnp.zeros(shape, dtype)
        notes.append((placeholder, key, _Draw(distribution, tuple(shape), factor(shape))))
        return placeholder

    return init


@functools.partial(jax.jit, static_argnames=("distribution", "shape"))
def _sample(key: Array, distribution: Distribution, shape: Shape) -> Array:
    match distribution:
        case "uniform":
            return jax.random.uniform(key, shape, minval=-1.0)
        case "truncated_normal":
            return jax.random.truncated_normal(key, -2.0, 2.0, shape)
        case "normal":  # over sqrt(2), which is in the factor
            lowest = np.nextafter(np.float32(-1), np.float32(0))
            return jax.lax.erf_inv(jax.random.uniform(key, shape, minval=lowest))


def _lecun_factor(shape: Shape) -> np.float32:
    deviation = np.sqrt(np.float32(1 / math.prod(shape[:-1])))
    return deviation / np.float32(0.87962566103423978)  # that of a normal draw cut at (-2, 2)


def xavier_between(inputs: int, outputs: int) -> Initializer:
    """Returns the uniform initialiser of variance 2 / (inputs + outputs)."""
    factor = np.sqrt(np.float32(3) * np.float32(2 / (inputs + outputs)))
    return _drawn("uniform", lambda shape: factor)


def xavier_uniform(key: Array, shape: Shape, dtype: Any = jnp.float32) -> Array:
    """Draws a matrix [inputs, outputs] uniformly, with the variance 2 / (inputs + outputs)."""
    return xavier_between(*shape)(key, shape, dtype)


def truncated_normal(deviation: float) -> Initializer:
    """Returns the initialiser that draws from a normal distribution, cut at two deviations."""
    return _drawn("truncated_normal", lambda shape: np.float32(deviation))


lecun_normal = _drawn("truncated_normal", _lecun_factor)
"""Draws a kernel [..., inputs, outputs] with the variance 1 / inputs, Flax's default."""

he_depthwise = _drawn(
    "normal", lambda shape: np.float32(2**0.5) * np.float32((2 / (shape[0] * shape[1])) ** 0.5)
)
"""Draws a depthwise kernel [k, k, c] with the variance 2 / k^2: its fan-in is only its taps."""
