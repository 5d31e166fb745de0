"""The efficient long short-term transformer: E-LSTT blocks over a visual and an identity branch.

Paper Sec. 3.1; PyTorch ``DualBranchGPM`` and its blocks.
"""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from mavos_jax.axes import Propagated, Tokens
from mavos_jax.config import ELSTTConfig
from mavos_jax.models.backend import Backend
from mavos_jax.models.layers import DropPath, group_norm, layer_norm, linear
from mavos_jax.models.memory import KeyValue, Pending
from mavos_jax.models.propagation import (
    LongTermPropagation,
    SelfPropagation,
    ShortTermPropagation,
)


class Block(nn.Module):
    """One E-LSTT block.

    Attributes:
      config: widths and window.
      backend: how the operations are computed.
      is_first: whether the identity branch is still empty: it then has no gate and adds nothing
        to the identity value.
    """

    config: ELSTTConfig
    backend: Backend
    is_first: bool

    def setup(self) -> None:
        config = self.config
        self.norm = layer_norm("norm")
        self.query_value = linear(
            config.attention_dim + config.value_dim, "query_value", self.backend
        )
        self.gate = linear(config.value_dim, "gate", self.backend)
        self.identity_value = linear(config.value_dim, "identity_value", self.backend)
        if not self.is_first:
            self.identity_norm = layer_norm("identity_norm")
            self.identity_gate = linear(config.value_dim, "identity_gate", self.backend)
        self.long_term = LongTermPropagation(config, self.backend, name="long_term")
        self.short_term = ShortTermPropagation(config, self.backend, name="short_term")
        self.self_norm = layer_norm("self_norm")
        self.self_identity_norm = layer_norm("self_identity_norm")
        self.self_propagation = SelfPropagation(config, self.backend, name="self_propagation")
        self.drop_visual = DropPath(config.drop_path)
        self.drop_identity = DropPath(config.drop_path)

    def project(self, x: Tokens, y: Tokens) -> tuple[Pending, Float[Array, "n v"]]:
        """Returns what the frame would write into memory, and the gate of its propagations."""
        u = self.norm(x)
        key, visual_value = jnp.split(self.query_value(u), [self.config.attention_dim], axis=-1)
        gate, identity = self.gate(u), None
        if self.is_first:
            gate = jnp.concatenate([jax.nn.silu(gate), jnp.ones_like(gate)], axis=-1)
        else:
            identity = self.identity_norm(y)
            gate = jax.nn.silu(jnp.concatenate([gate, self.identity_gate(identity)], axis=-1))
        return Pending(key, jax.nn.silu(visual_value), identity), gate

    def remember(self, current: Pending, identification: Tokens) -> KeyValue:
        """Returns the frame's keys and values, now that its mask's embedding is known."""
        parts = [identification] if self.is_first else [current.identity, identification]
        identity_value = jax.nn.silu(self.identity_value(jnp.concatenate(parts, axis=-1)))
        return KeyValue(
            current.key, jnp.concatenate([current.visual_value, identity_value], axis=-1)
        )

    def propagate(
        self,
        x: Tokens,
        y: Tokens,
        query: Float[Array, "n k"],
        gate: Float[Array, "n v"],
        memories: tuple[KeyValue, KeyValue, Float[Array, "m"] | None],
        size: tuple[int, int],
    ) -> tuple[Tokens, Tokens]:
        """Updates both branches from the long-term and short-term memories, then from the frame.

        Args:
          x: the visual state.
          y: the identity state.
          query: the frame's key.
          gate: from :meth:`project`.
          memories: long-term, short-term, and the bias of the long-term logits.
          size: rows and columns of the map.
        """
        long_term, short_term, bias = memories
        long_x, long_y = self.long_term(query, gate, long_term, bias, size)
        short_x, short_y = self.short_term(query, gate, short_term, size)
        x, y = x + (long_x + short_x), y + (long_y + short_y)
        dx, dy = self.self_propagation(self.self_norm(x), self.self_identity_norm(y), size)
        return x + self.drop_visual(dx), y + self.drop_identity(dy)


class ELSTT(nn.Module):
    """The stack of blocks and the normalisation before the decoder."""

    config: ELSTTConfig
    backend: Backend

    def setup(self) -> None:
        self.blocks = [
            Block(self.config, self.backend, is_first=i == 0, name=f"block_{i}")
            for i in range(self.config.num_blocks)
        ]
        self.norm = group_norm(2, "norm")

    def propagate(
        self,
        x: Tokens,
        long_term: tuple[KeyValue, ...],
        short_term: tuple[KeyValue, ...],
        bias: Float[Array, "m"] | None,
        size: tuple[int, int],
    ) -> tuple[Propagated, tuple[Pending, ...]]:
        """Propagates the memories' masks to a frame.

        Args:
          x: [n, d], the projected encoder map of the frame.
          long_term: long-term memory of each block.
          short_term: previous frame of each block.
          bias: added to the logits of the long-term keys.
          size: rows and columns of the map.

        Returns:
          The decoder's input [h, w, 2 d], and what the frame writes once its mask is known.
        """
        y, pending = jnp.zeros_like(x), []
        for block, long, short in zip(self.blocks, long_term, short_term, strict=True):
            current, gate = block.project(x, y)
            x, y = block.propagate(x, y, current.key, gate, (long, short, bias), size)
            pending.append(current)
        return self._normalise(x, y, size), tuple(pending)

    def reference(
        self, x: Tokens, identification: Tokens, size: tuple[int, int]
    ) -> tuple[Propagated, tuple[KeyValue, ...]]:
        """Runs a frame whose mask is known; its own keys and values are both memories.

        Returns:
          The decoder's input [h, w, 2 d], and what the frame writes into memory.
        """
        y, written = jnp.zeros_like(x), []
        for block in self.blocks:
            current, gate = block.project(x, y)
            own = block.remember(current, identification)
            x, y = block.propagate(x, y, own.key, gate, (own, own, None), size)
            written.append(own)
        return self._normalise(x, y, size), tuple(written)

    def remember(
        self, pending: tuple[Pending, ...], identification: Tokens
    ) -> tuple[KeyValue, ...]:
        """Returns the keys and values of a propagated frame, given its mask's embedding."""
        return tuple(
            block.remember(current, identification)
            for block, current in zip(self.blocks, pending, strict=True)
        )

    def _normalise(self, x: Tokens, y: Tokens, size: tuple[int, int]) -> Propagated:
        return self.norm(jnp.concatenate([x, y], axis=-1).reshape(*size, -1))
