"""The E-LSTT (paper Sec. 3.1, PyTorch ``DualBranchGPM``): a visual and an identity branch."""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from mavos_jax.axes import Propagated, Tokens
from mavos_jax.config import ELSTTConfig
from mavos_jax.models import layers
from mavos_jax.models.attention import attend, attend_window
from mavos_jax.models.backend import Backend
from mavos_jax.models.layers import DropPath, JoinedLinear, layer_norm, linear
from mavos_jax.models.memory import KeyValue, Pending
from mavos_jax.models.stack import Memories, Stack, State

Query = Float[Array, "n k"]
Pair = Float[Array, "n v"]  # values, or their gate, of both branches side by side
Updates = tuple[Float[Array, "n d"], Float[Array, "n d"]]  # of the visual and the identity branch


class GatedOutput(nn.Module):
    """What closes each propagation: gate, 5x5 ``dw_conv`` and ``projection`` of PyTorch's."""

    config: ELSTTConfig
    backend: Backend

    @nn.compact
    def __call__(self, attended: Pair, gate: Pair, size: tuple[int, int]) -> Updates:
        """Returns the updates of the visual and of the identity branch."""
        gated = (attended * gate).reshape(*size, -1)
        mixed = layers.DepthwiseConv(kernel=5, backend=self.backend, name="depthwise")(gated)
        mixed = layers.DropChannels(self.config.channel_dropout, name="drop")(mixed)
        out = linear(2 * self.config.dim, "projection", self.backend)(mixed.reshape(attended.shape))
        visual, identity = jnp.split(out, 2, axis=-1)
        return visual, identity


class LongTermPropagation(nn.Module):
    """Attention to every token of the long-term memory (PyTorch ``long_term_attn``)."""

    config: ELSTTConfig
    backend: Backend

    def setup(self) -> None:
        self.output = GatedOutput(self.config, self.backend)

    def __call__(self, query: Query, memory: KeyValue, bias: Float[Array, "m"] | None) -> Pair:
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

    def __call__(self, query: Query, memory: KeyValue, size: tuple[int, int]) -> Pair:
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
    def __call__(self, visual: Tokens, identity: Tokens, size: tuple[int, int]) -> Updates:
        query_key = JoinedLinear(self.config.attention_dim, self.backend, name="query_key")
        query = query_key(visual, identity)

        def pair(name: str) -> Pair:
            halves = [
                linear(self.config.value_dim, f"visual_{name}", self.backend)(visual),
                linear(self.config.value_dim, f"identity_{name}", self.backend)(identity),
            ]
            return jax.nn.silu(jnp.concatenate(halves, axis=-1))

        scaled = query * self.config.attention_dim**-0.5
        attended = attend(scaled, query, pair("value"), **self.backend.attention())
        return GatedOutput(self.config, self.backend, name="output")(attended, pair("gate"), size)


class Block(nn.Module):
    """One E-LSTT block; the first one's identity branch is empty, without gate and value."""

    config: ELSTTConfig
    backend: Backend
    is_first: bool

    def setup(self) -> None:
        config = self.config
        self.norm = layer_norm("norm")
        width = config.attention_dim + config.value_dim
        self.query_value = linear(width, "query_value", self.backend)
        self.gate = linear(config.value_dim, "gate", self.backend)
        self.identity_value = JoinedLinear(config.value_dim, self.backend, name="identity_value")
        if not self.is_first:
            self.identity_norm = layer_norm("identity_norm")
            self.identity_gate = linear(config.value_dim, "identity_gate", self.backend)
        self.long_term = LongTermPropagation(config, self.backend, name="long_term")
        self.short_term = ShortTermPropagation(config, self.backend, name="short_term")
        self.outputs = layers.Twins(self.backend)
        self.self_norm = layer_norm("self_norm")
        self.self_identity_norm = layer_norm("self_identity_norm")
        self.self_propagation = SelfPropagation(config, self.backend, name="self_propagation")
        self.drop_visual = DropPath(config.drop_path)
        self.drop_identity = DropPath(config.drop_path)

    def project(self, state: State) -> tuple[State, Pending, Pair]:
        """Returns what the frame would write into memory, and the gate of its propagations."""
        x, y = state
        u = self.norm(x)
        key, visual_value = jnp.split(self.query_value(u), [self.config.attention_dim], axis=-1)
        gate, identity = self.gate(u), None
        if self.is_first:
            gate = jnp.concatenate([jax.nn.silu(gate), jnp.ones_like(gate)], axis=-1)
        else:
            identity = self.identity_norm(y)
            gate = jax.nn.silu(jnp.concatenate([gate, self.identity_gate(identity)], axis=-1))
        return state, Pending(key, visual_value, identity), gate

    def remember(self, pending: Pending, identification: Tokens) -> KeyValue:
        """Returns the frame's keys and values, now that its mask's embedding is known."""
        parts = [identification] if self.is_first else [pending.identity, identification]
        values = [pending.visual_value, self.identity_value(*parts)]
        return KeyValue(pending.key, jax.nn.silu(jnp.concatenate(values, axis=-1)))

    def propagate(
        self, state: State, query: Query, gate: Pair, memories: Memories, size: tuple[int, int]
    ) -> State:
        """Updates both branches from the long-term and short-term memories, then from the frame."""
        (x, y), (long_term, short_term, bias) = state, memories
        attended = self.long_term(query, long_term, bias), self.short_term(query, short_term, size)
        (long_x, long_y), (short_x, short_y) = self.outputs(
            (self.long_term.output, self.short_term.output), [(x, gate) for x in attended], size
        )
        x, y = x + (long_x + short_x), y + (long_y + short_y)
        dx, dy = self.self_propagation(self.self_norm(x), self.self_identity_norm(y), size)
        return x + self.drop_visual(dx), y + self.drop_identity(dy)


class ELSTT(Stack):
    """The blocks, and the normalisation before the decoder, whose input is [h, w, 2 d]."""

    config: ELSTTConfig
    backend: Backend

    def setup(self) -> None:
        self.blocks = [
            Block(self.config, self.backend, is_first=i == 0, name=f"block_{i}")
            for i in range(self.config.num_blocks)
        ]
        self.norm = layers.group_norm(2, "norm", self.backend)

    def start(self, x: Tokens, size: tuple[int, int]) -> State:
        x = x.astype(jnp.float32)  # what residuals are added to
        return x, jnp.zeros_like(x)

    def finish(self, states: Sequence[State], size: tuple[int, int]) -> Propagated:
        return self.norm(jnp.concatenate(states[-1], axis=-1).reshape(*size, -1))
