"""What the E-LSTT and the LSTT share: blocks one after the other, each with its own memory."""

from collections.abc import Sequence

import flax.linen as nn
from jaxtyping import Array, Float

from mavos_jax.axes import Propagated, Tokens
from mavos_jax.models.memory import KeyValue, KeyValues, Pending

State = tuple[Tokens, Tokens]
"""What runs through the blocks: the visual state, and the identity state or the position."""
Memories = tuple[KeyValue, KeyValue, Float[Array, "m"] | None]
"""A block's long-term and short-term memory, and what is added to the long-term logits."""


class Stack(nn.Module):
    """Runs a frame through ``self.blocks``, which subclasses set up.

    A block projects the state to what the frame would write into memory, propagates the memories to
    it, and remembers the frame once its mask's embedding is known. ``x`` is the encoder's map.
    """

    def start(self, x: Tokens, size: tuple[int, int]) -> State:
        """Returns the state before the first block."""
        raise NotImplementedError

    def finish(self, states: Sequence[State], size: tuple[int, int]) -> Propagated:
        """Returns the decoder's input from the state at the start and after every block."""
        raise NotImplementedError

    def propagate(
        self,
        x: Tokens,
        long_term: KeyValues,
        short_term: KeyValues,
        bias: Float[Array, "m"] | None,
        size: tuple[int, int],
    ) -> tuple[Propagated, tuple[Pending, ...]]:
        """Returns the decoder's input, and what the frame writes once its mask is known."""
        states, pending = [self.start(x, size)], []
        for block, long, short in zip(self.blocks, long_term, short_term, strict=True):
            state, own, gate = block.project(states[-1])
            states.append(block.propagate(state, own.key, gate, (long, short, bias), size))
            pending.append(own)
        return self.finish(states, size), tuple(pending)

    def reference(
        self, x: Tokens, identification: Tokens, size: tuple[int, int]
    ) -> tuple[Propagated, KeyValues]:
        """Runs a frame whose mask is known; its own keys and values are both memories."""
        states, written = [self.start(x, size)], []
        for block in self.blocks:
            state, pending, gate = block.project(states[-1])
            own = block.remember(pending, identification)
            states.append(block.propagate(state, own.key, gate, (own, own, None), size))
            written.append(own)
        return self.finish(states, size), tuple(written)

    def remember(self, pending: tuple[Pending, ...], identification: Tokens) -> KeyValues:
        """Returns the keys and values of a propagated frame, given its mask's embedding."""
        pairs = zip(self.blocks, pending, strict=True)
        return tuple(block.remember(own, identification) for block, own in pairs)
