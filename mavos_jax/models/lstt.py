"""The transformer of AOT-L (Yang et al. 2021): one branch, whose values carry the identities."""

import functools
from collections.abc import Sequence

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mavos_jax.axes import Propagated, Tokens
from mavos_jax.config import LSTTConfig
from mavos_jax.models import layers
from mavos_jax.models.attention import attend, attend_heads, attend_window
from mavos_jax.models.backend import Backend
from mavos_jax.models.initialisation import xavier_between
from mavos_jax.models.layers import CONSTANTS, DropPath, layer_norm, linear
from mavos_jax.models.mca import gelu
from mavos_jax.models.memory import KeyValue, Pending
from mavos_jax.models.stack import Memories, Stack, State

NORM_GROUPS = 32
PERIOD = 10_000.0  # how much slower the position embedding's slowest sine turns than its fastest


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
        heads, operands = self.config.num_heads, (_scale(query, self.config), key, value)
        attend_head = functools.partial(attend, **self.backend.attention(heads))
        attended = attend_heads(attend_head, operands, heads, self.backend)
        return linear(dim, "projection", self.backend)(attended)


class LongTermAttention(nn.Module):
    """Attention to every token of the long-term memory."""

    config: LSTTConfig
    backend: Backend

    @nn.compact
    def __call__(self, query: Tokens, memory: KeyValue, bias: Float[Array, "m"] | None) -> Tokens:
        heads, row = self.config.num_heads, None if bias is None else bias[None]
        attend_head = functools.partial(attend, bias=row, **self.backend.attention(heads))
        operands = (_scale(query, self.config), memory.key, memory.value)
        attended = attend_heads(attend_head, operands, heads, self.backend)
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
        options = {**self.backend.attention(config.num_heads), "radius": config.window_radius}
        options |= {"size": size, "tile": self.backend.short_term_tile}

        def attend_head(query: Array, key: Array, value: Array, *relative: Array) -> Array:
            logits, values = relative
            values = values.T.astype(value.dtype)
            return attend_window(query * depth**-0.5, key, value, logits, values, **options)

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
        kernel = self.param("kernel", xavier_between(depth, self.features), (depth, outputs))
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


class Perceptron(nn.Module):
    """linear2(DWConv5x5(GELU(GroupNorm(linear1(x))))), which closes a block."""

    config: LSTTConfig
    backend: Backend

    @nn.compact
    def __call__(self, x: Tokens, size: tuple[int, int]) -> Tokens:
        hidden = linear(self.config.hidden_dim, "in", self.backend)(x).reshape(*size, -1)
        hidden = gelu(layers.group_norm(NORM_GROUPS, "norm", self.backend)(hidden))
        hidden = layers.DepthwiseConv(kernel=5, backend=self.backend, name="depthwise")(hidden)
        return linear(self.config.dim, "out", self.backend)(hidden.reshape(x.shape[0], -1))


class Block(nn.Module):
    """One LSTT block."""

    config: LSTTConfig
    backend: Backend

    def setup(self) -> None:
        dim = self.config.dim
        self.self_norm = layer_norm("self_norm")
        self.self_attention = SelfAttention(self.config, self.backend, name="self_attention")
        self.norm = layer_norm("norm")
        self.query_key = linear(dim, "query_key", self.backend)
        self.value = linear(dim, "value", self.backend)
        self.long_term = LongTermAttention(self.config, self.backend, name="long_term")
        self.short_term = ShortTermAttention(self.config, self.backend, name="short_term")
        self.mlp_norm = layer_norm("mlp_norm")
        self.mlp = Perceptron(self.config, self.backend, name="mlp")
        self.drop_self = DropPath(self.config.drop_path)
        self.drop_mlp = DropPath(self.config.drop_path)

    def project(self, state: State) -> tuple[State, Pending, None]:
        """Attends to the frame itself; returns the state and what it would write into memory."""
        x, position = state
        x = x + self.drop_self(self.self_attention(self.self_norm(x), position))
        u = self.norm(x)
        return (x, position), Pending(self.query_key(u), u, None), None

    def remember(self, pending: Pending, identification: Tokens) -> KeyValue:
        """Returns the frame's keys and values, now that its mask's embedding is known."""
        return KeyValue(pending.key, self.value(pending.visual_value + identification))

    def propagate(
        self, state: State, query: Tokens, gate: None, memories: Memories, size: tuple[int, int]
    ) -> State:
        """Updates the state from the memories; there is no gate."""
        (x, position), (long_term, short_term, bias) = state, memories
        x = x + self.long_term(query, long_term, bias) + self.short_term(query, short_term, size)
        return x + self.drop_mlp(self.mlp(self.mlp_norm(x), size)), position


class LSTT(Stack):
    """The blocks, and a normalisation of each block's result.

    The decoder sees the encoder's map beside all of them: its input is [h, w, (1 + blocks) d].
    Nothing reads the PyTorch code's ``mask_token``; it is kept so that weights can go back.
    """

    config: LSTTConfig
    backend: Backend

    def setup(self) -> None:
        numbers = range(self.config.num_blocks)
        self.blocks = [Block(self.config, self.backend, name=f"block_{i}") for i in numbers]
        self.norms = [layer_norm(f"norm_{i}") for i in numbers]
        self.variable(CONSTANTS, "mask_token", jnp.zeros, (1, 1, self.config.dim))

    def start(self, x: Tokens, size: tuple[int, int]) -> State:
        return x.astype(jnp.float32), sine_position(size, self.config.dim)

    def finish(self, states: Sequence[State], size: tuple[int, int]) -> Propagated:
        first, *others = (x for x, _ in states)
        normed = [norm(x) for norm, x in zip(self.norms, others, strict=True)]
        return jnp.concatenate([first, *normed], axis=-1).reshape(*size, -1)


def sine_position(size: tuple[int, int], dim: int) -> Float[Array, "n d"]:
    """Returns the position embedding of a map: half of the channels of y, then half of x.

    With p = 2 pi i / (n - 1 + 1e-6) at place i of n, channels 2 m and 2 m + 1 of an axis are the
    sine and the cosine of p / 10000^(2 m / (dim / 2)).
    """
    half = dim // 2
    channel = np.arange(half)
    periods = PERIOD ** (channel // 2 * 2 / half)

    def of_axis(places: int) -> np.ndarray:
        angle = 2 * np.pi * np.arange(places)[:, None] / (places - 1 + 1e-6) / periods
        return np.where(channel % 2 == 0, np.sin(angle), np.cos(angle))

    rows, columns = size
    y = np.broadcast_to(of_axis(rows)[:, None], (rows, columns, half))
    x = np.broadcast_to(of_axis(columns)[None], (rows, columns, half))
    return jnp.asarray(np.concatenate([y, x], axis=-1).reshape(-1, dim), jnp.float32)
