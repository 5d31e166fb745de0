"""Regularisation by dropping: whole channels, and whole residual updates.

A pass drops if and only if it is given random numbers: ``model.apply(..., rngs={"dropout": key})``
is a training pass, a pass without ``rngs`` is inference. Networks take one sample, so a key is of
one sample, too, and what is dropped does not depend on the rest of a batch.
"""

from __future__ import annotations

import flax.linen as nn
import jax
from jaxtyping import Array, Float

STREAM = "dropout"
"""The name of the stream of random numbers."""


class DropChannels(nn.Module):
    """Sets each channel of a map to zero with probability ``rate`` and scales up the others.

    PyTorch ``Dropout2d``.
    """

    rate: float

    @nn.compact
    def __call__(self, x: Float[Array, "*map c"]) -> Float[Array, "*map c"]:
        if self.rate == 0 or not self.has_rng(STREAM):
            return x
        is_kept = jax.random.bernoulli(self.make_rng(STREAM), 1 - self.rate, x.shape[-1:])
        return x * (is_kept / (1 - self.rate)).astype(x.dtype)


class DropPath(nn.Module):
    """Sets a residual update to zero with probability ``rate``, scales it up otherwise."""

    rate: float

    @nn.compact
    def __call__(self, x: Float[Array, "*any"]) -> Float[Array, "*any"]:
        if self.rate == 0 or not self.has_rng(STREAM):
            return x
        is_kept = jax.random.bernoulli(self.make_rng(STREAM), 1 - self.rate)
        return x * (is_kept / (1 - self.rate)).astype(x.dtype)
