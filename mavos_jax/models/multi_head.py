"""The three attentions of an LSTT block: self, long-term and short-term, of several heads each.

PyTorch ``MultiheadAttention`` and ``MultiheadLocalAttention``.
"""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from mavos_jax.axes import Tokens
from mavos_jax.config import LSTTConfig
from mavos_jax.models.attention import attend, attend_heads, attend_window
from mavos_jax.models.backend import Backend
from mavos_jax.models.initialisation import xavier_between
from mavos_jax.models.layers import linear
from mavos_jax.models.memory import KeyValue


class SelfAttention(nn.Module):
    """Attention of the frame to itself, in which a position embedding enters queries and keys."""

    config: LSTTConfig
    backend: Backend

    @nn.compact
    def __call__(self, x: Tokens, position: Tokens) -> Tokens:
        dim = self.config.dim
        query = linear(dim, "query", self.backend)(x + position)
        key = linear(dim, "key", self.backend)(x + position)
        value = linear(dim, "value", self.backend)(x)
        operands = (_scale(query, self.config), key, value)
        attended = attend_heads(
            lambda *x: attend(*x, **self.backend.attention(self.config.num_heads)),
            operands,
            self.config.num_heads,
            self.backend,
        )
        return linear(dim, "projection", self.backend)(attended)


class LongTermAttention(nn.Module):
    """Attention to every token of the long-term memory."""

    config: LSTTConfig
    backend: Backend

    @nn.compact
    def __call__(self, query: Tokens, memory: KeyValue, bias: Float[Array, "m"] | None) -> Tokens:
        row = None if bias is None else bias[None]
        options = self.backend.attention(self.config.num_heads)
        attended = attend_heads(
            lambda q, k, v: attend(q, k, v, row, **options),
            (_scale(query, self.config), memory.key, memory.value),
            self.config.num_heads,
            self.backend,
        )
        return linear(self.config.dim, "projection", self.backend)(attended)


class ShortTermAttention(nn.Module):
    """Attention to the previous frame in a window around each token.

    In every head logit(offset) = q . k(neighbour) / sqrt(k) + r(offset), where r is a linear map of
    the UNSCALED query, and what is summed is v(neighbour) + s(offset), where s is a parameter.
    """

    config: LSTTConfig
    backend: Backend

    @nn.compact
    def __call__(self, query: Tokens, memory: KeyValue, size: tuple[int, int]) -> Tokens:
        config = self.config
        depth = config.dim // config.num_heads
        offsets = (2 * config.window_radius + 1) ** 2
        shape = (config.num_heads, depth, offsets)
        relative_value = self.param("relative_value", nn.initializers.zeros, shape)

        def attend_head(
            query: Float[Array, "n k"],
            key: Float[Array, "n k"],
            value: Float[Array, "n k"],
            relative: Float[Array, "n r"],
            relative_value: Float[Array, "k r"],
        ) -> Float[Array, "n k"]:
            return attend_window(
                query * depth**-0.5,
                key,
                value,
                relative,
                relative_value.T.astype(value.dtype),
                size=size,
                radius=config.window_radius,
                tile=self.backend.short_term_tile,
                **self.backend.attention(config.num_heads),
            )

        relative = HeadLinear(config.num_heads, offsets, self.backend, name="relative_key")(query)
        operands = (query, memory.key, memory.value, relative, relative_value)
        attended = attend_heads(attend_head, operands, config.num_heads, self.backend)
        return linear(config.dim, "projection", self.backend)(attended)


class HeadLinear(nn.Module):
    """A linear layer of each head's own channels; the heads' outputs stand one after the other."""

    num_heads: int
    features: int
    backend: Backend

    @nn.compact
    def __call__(self, x: Tokens) -> Float[Array, "n r"]:
        depth = x.shape[-1] // self.num_heads
        outputs = self.num_heads * self.features

        init = xavier_between(depth, self.features)
        kernel = self.param("kernel", init, (depth, outputs))
        bias = self.param("bias", nn.initializers.zeros, (outputs,))
        dtype = self.backend.dtype or kernel.dtype
        product = jnp.einsum(
            "nhk,khr->nhr",
            x.reshape(-1, self.num_heads, depth).astype(dtype),
            kernel.reshape(depth, self.num_heads, self.features).astype(dtype),
        )
        return product.reshape(-1, outputs) + bias.astype(dtype)


def _scale(query: Tokens, config: LSTTConfig) -> Tokens:
    return query * (config.dim // config.num_heads) ** -0.5
