"""The three propagations of an E-LSTT block: long-term, short-term and self."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from mavos_jax.axes import Tokens
from mavos_jax.config import ELSTTConfig
from mavos_jax.models.attention import attend, attend_window
from mavos_jax.models.backend import Backend
from mavos_jax.models.layers import DepthwiseConv, DropChannels, JoinedLinear, linear
from mavos_jax.models.memory import KeyValue


class GatedOutput(nn.Module):
    """What closes each propagation: gate, depthwise 5x5 convolution, linear layer.

    PyTorch: the ``dw_conv`` and ``projection`` of ``GatedPropagation``.
    """

    config: ELSTTConfig
    backend: Backend

    @nn.compact
    def __call__(
        self, attended: Float[Array, "n v"], gate: Float[Array, "n v"], size: tuple[int, int]
    ) -> tuple[Float[Array, "n d"], Float[Array, "n d"]]:
        """Returns the updates of the visual and of the identity branch."""
        gated = (attended * gate).reshape(*size, -1)
        mixed = DepthwiseConv(kernel=5, backend=self.backend, name="depthwise")(gated)
        mixed = DropChannels(self.config.channel_dropout, name="drop")(mixed)
        out = linear(2 * self.config.dim, "projection", self.backend)(mixed.reshape(attended.shape))
        visual, identity = jnp.split(out, 2, axis=-1)
        return visual, identity


class LongTermPropagation(nn.Module):
    """Attention to every token of the long-term memory (PyTorch ``long_term_attn``)."""

    config: ELSTTConfig
    backend: Backend

    def setup(self) -> None:
        self.output = GatedOutput(self.config, self.backend)

    def __call__(
        self, query: Float[Array, "n k"], memory: KeyValue, bias: Float[Array, "m"] | None
    ) -> Float[Array, "n v"]:
        """Returns what ``output`` is to close."""
        scaled = query * self.config.attention_dim**-0.5
        row = None if bias is None else bias[None]
        return attend(scaled, memory.key, memory.value, row, **self.backend.attention())


class ShortTermPropagation(nn.Module):
    """Attention to the previous frame in a window around each token (``short_term_attn``).

    logit(offset) = q . k(neighbour) / sqrt(k) + r(offset), where r is a linear map of the
    UNSCALED query.
    """

    config: ELSTTConfig
    backend: Backend

    def setup(self) -> None:
        window = 2 * self.config.window_radius + 1
        self.relative_key = linear(window * window, "relative_key", self.backend)
        self.output = GatedOutput(self.config, self.backend)

    def __call__(
        self, query: Float[Array, "n k"], memory: KeyValue, size: tuple[int, int]
    ) -> Float[Array, "n v"]:
        """Returns what ``output`` is to close."""
        return attend_window(
            query * self.config.attention_dim**-0.5,
            memory.key,
            memory.value,
            self.relative_key(query),
            size=size,
            radius=self.config.window_radius,
            tile=self.backend.short_term_tile,
            **self.backend.attention(),
        )


class SelfPropagation(nn.Module):
    """Attention of the frame to itself, both branches together (PyTorch ``self_attn``)."""

    config: ELSTTConfig
    backend: Backend

    @nn.compact
    def __call__(
        self, visual: Tokens, identity: Tokens, size: tuple[int, int]
    ) -> tuple[Float[Array, "n d"], Float[Array, "n d"]]:
        query_key = JoinedLinear(self.config.attention_dim, self.backend, name="query_key")
        query = query_key(visual, identity)

        def pair(name: str) -> Float[Array, "n v"]:
            halves = [
                linear(self.config.value_dim, f"visual_{name}", self.backend)(visual),
                linear(self.config.value_dim, f"identity_{name}", self.backend)(identity),
            ]
            return jax.nn.silu(jnp.concatenate(halves, axis=-1))

        scaled = query * self.config.attention_dim**-0.5
        attended = attend(scaled, query, pair("value"), **self.backend.attention())
        return GatedOutput(self.config, self.backend, name="output")(attended, pair("gate"), size)
