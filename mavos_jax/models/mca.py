"""Modulated cross-attention: how a new frame is fused into the dynamic long-term memory.

Paper Sec. 3.2, Eq. 4-6; PyTorch ``MemoryJointModulation``; in parts by ``MemoryConfig.write``.
"""

import functools
from typing import assert_never

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from mavos_jax.axes import Map, Tokens
from mavos_jax.config import MemoryConfig
from mavos_jax.models.attention import attend, attend_heads
from mavos_jax.models.backend import Backend
from mavos_jax.models.initialisation import lecun_normal
from mavos_jax.models.layers import DepthwiseConv, DropPath, Twins, dense, layer_norm
from mavos_jax.models.memory import KeyValue, KeyValues


def gelu(x: Array) -> Array:
    """The exact Gaussian error linear unit (erf, not the tanh approximation)."""
    return jax.nn.gelu(x, approximate=False)


class FocalContext(nn.Module):
    """Gated aggregation of the memory's context at several focal levels (paper Eq. 4-5).

    z_0 and the gates g are linear in the context; z_l = GELU(DWConv_{2l+1}(z_{l-1})); the last
    level is the GELU of z_L's mean over the map. Returns h(sum_l g_l z_l), h a 1x1 convolution.
    The gates are the plain outputs of the linear layer, without a sigmoid.
    """

    levels: int
    backend: Backend

    @nn.compact
    def __call__(self, context: Map) -> Map:
        channels = context.shape[-1]
        projected = dense(channels + self.levels + 1, "context", self.backend)(context)
        z, gates = projected[..., :channels], projected[..., channels:]
        total = jnp.zeros_like(z)
        for level in range(self.levels):
            conv = DepthwiseConv(kernel=3 + 2 * level, backend=self.backend, name=f"focal_{level}")
            z = gelu(conv(z))
            total = total + z * gates[..., level : level + 1]
        pooled = gelu(z.mean(axis=(0, 1), keepdims=True))
        total = total + pooled * gates[..., self.levels :]
        return dense(channels, "modulator", self.backend)(total)


class ModulatedCrossAttention(nn.Module):
    """Fuses a new frame's tokens with the dynamic memory's: out = new + MCA, then an MLP.

    The queries q come from the new frame, the keys k and the focal modulation H from the memory::

        MCA = projection(softmax(q k^T / sqrt(depth)) H)              ``write`` "mca"
              projection(softmax(q k^T / sqrt(depth)) v)              "cross_attention"
              projection(q * H)                                       "focal_modulation"

    with v linear in the memory, and the product of the last token by token (paper Table 6).

    Difference to the paper's Eq. 6: with ``MemoryConfig.released_value_layout`` the modulated map
    of "mca" is read channel-major, as an array [c, n] re-read in order as [n, c] without a
    transpose. The released PyTorch code does so and its checkpoints were trained with it.
    """

    config: MemoryConfig
    backend: Backend

    @nn.compact
    def __call__(self, new: Tokens, dynamic: Tokens, size: tuple[int, int]) -> Tokens:
        """Returns the updated dynamic memory [n, c]; ``size`` is the map's rows and columns."""
        channels = new.shape[-1]
        context = layer_norm("memory_norm")(dynamic)
        query = self._linear("query", layer_norm("new_norm")(new))
        match self.config.write:
            case "mca":
                value = self._modulate(context, size)
                if self.config.released_value_layout:
                    value = value.T.reshape(value.shape)
                fused = self._attend_heads(query, self._linear("key", context), value)
            case "cross_attention":
                value = self._linear("value", context)
                fused = self._attend_heads(query, self._linear("key", context), value)
            case "focal_modulation":
                fused = query * self._modulate(context, size)
            case _:
                assert_never(self.config.write)
        update = self._output("projection", channels)(fused)
        # The residual sums are float32 even where the memory is kept in fewer bits.
        out = new.astype(jnp.float32) + DropPath(self.config.drop_path, name="drop")(update)
        mlp_in = dense(self.config.mlp_ratio * channels, "mlp_in", self.backend)
        hidden = mlp_in(layer_norm("mlp_norm")(out))
        update = self._output("mlp_out", channels)(gelu(hidden))
        return (out + DropPath(self.config.drop_path, name="mlp_drop")(update)).astype(new.dtype)

    def _output(self, name: str, channels: int) -> nn.Module:
        start = nn.initializers.zeros if self.config.zero_start else lecun_normal
        return dense(channels, name, self.backend, init=start)

    def _linear(self, name: str, x: Tokens) -> Tokens:
        return dense(x.shape[-1], name, self.backend, bias=False)(x)

    def _modulate(self, context: Tokens, size: tuple[int, int]) -> Tokens:
        focal = FocalContext(self.config.focal_levels, self.backend, name="focal")
        return focal(context.reshape(*size, context.shape[-1])).reshape(context.shape)

    def _attend_heads(self, query: Tokens, key: Tokens, value: Tokens) -> Tokens:
        heads = self.config.num_heads
        scaled = query * (query.shape[-1] // heads) ** -0.5
        attend_head = functools.partial(attend, **self.backend.attention(heads))
        return attend_heads(attend_head, (scaled, key, value), heads, self.backend)


class BlockModulation(nn.Module):
    """The modulated cross-attentions of one E-LSTT block: keys, visual and identity values."""

    config: MemoryConfig
    backend: Backend

    def setup(self) -> None:
        self.key, self.visual_value, self.identity_value = (
            ModulatedCrossAttention(self.config, self.backend) for _ in range(3)
        )
        self.twins = Twins(self.backend)

    def __call__(
        self, new: Float[Array, "n v"], dynamic: Float[Array, "n v"], size: tuple[int, int]
    ) -> Float[Array, "n v"]:
        """Fuses the values; :class:`MemoryModulation` fuses the keys of all blocks."""
        halves = zip(*(jnp.split(value, 2, axis=-1) for value in (new, dynamic)), strict=True)
        fused = self.twins((self.visual_value, self.identity_value), list(halves), size)
        return jnp.concatenate(fused, axis=-1)


class MemoryModulation(nn.Module):
    """The write into the dynamic memory of every block."""

    config: MemoryConfig
    num_blocks: int
    backend: Backend

    def setup(self) -> None:
        self.blocks = [
            BlockModulation(self.config, self.backend, name=f"block_{i}")
            for i in range(self.num_blocks)
        ]
        self.twins = Twins(self.backend)

    def __call__(self, new: KeyValues, dynamic: KeyValues, size: tuple[int, int]) -> KeyValues:
        pairs = list(zip(new, dynamic, strict=True))
        keys = self.twins([x.key for x in self.blocks], [(x.key, y.key) for x, y in pairs], size)
        return tuple(
            KeyValue(key, block(x.value, y.value, size))
            for block, key, (x, y) in zip(self.blocks, keys, pairs, strict=True)
        )
