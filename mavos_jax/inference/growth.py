"""Memory that grows between two programs, on the host's word.

The host knows when a write is due without asking the device, so it makes room beforehand. Every
size is a program of its own: a bank of at most K frames compiles no more than log2(K) of a kind.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import NamedTuple

import jax

from mavos_jax.config import MemoryConfig
from mavos_jax.inference.programs import States
from mavos_jax.models.mavos import MAVOS
from mavos_jax.models.memory import grow_memory, with_room_for


class Writes(NamedTuple):
    """How often a video has written to its long-term memory.

    Attributes:
      num: writes of the group of objects that is there longest.
      since: frames since the last one, or since the reference.
    """

    num: int = 0
    since: int = 0

    def after_frames(self, count: int, gap: int) -> Writes:
        """Returns the counts after segmented frames, of which every ``gap``-th is written."""
        frames = self.since + count
        return Writes(self.num + frames // gap, frames % gap)

    def after_reference(self) -> Writes:
        """Returns the counts after a later reference, which is always written."""
        return Writes(self.num + 1, 0)


def with_room(model: MAVOS, memory: MemoryConfig, writes: Writes) -> MAVOS:
    """Returns the network, which keeps its variables, with room for a reference and writes.

    Args:
      model: the network; itself returned where it has the room.
      memory: as it was configured, before it grew.
      writes: that there will have been.
    """
    memory = with_room_for(memory, 1 + writes.num)
    if memory == model.config.memory:
        return model
    return model.clone(config=dataclasses.replace(model.config, memory=memory))


@functools.partial(jax.jit, static_argnames=("config",))
def grow_states(states: States, *, config: MemoryConfig) -> States:
    """Returns the state of every view with more room in the memories of all groups."""
    grow = jax.vmap(functools.partial(grow_memory, config))
    return tuple(state._replace(memory=grow(state.memory)) for state in states)
