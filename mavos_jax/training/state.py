"""The state of a training run: everything that the next step depends on, and nothing else."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
from jaxtyping import Array, UInt32

from mavos_jax.axes import Scalar
from mavos_jax.models.mavos import Variables
from mavos_jax.runtime.trees import leaves_by_path, nested

Leaves = dict[str, Any]
"""Arrays by the path of their parameter, such as ``elstt/block_0/gate/kernel``."""


class TrainState(NamedTuple):
    """What a step takes and returns; a pytree of arrays, the same on every device.

    Attributes:
      step: steps done, skipped ones included; the index of the next one, from 0.
      average: the exponential moving average of ``trained``, which is what evaluation reads.
      constants: the frozen batch-norm vectors, nested as the model has them.
      skipped: steps that were skipped, because their loss or gradient was not finite.
      key: gives, with the step and a clip's place in the global batch, all random numbers.
    """

    step: Scalar
    trained: Leaves
    average: Leaves
    frozen: Leaves
    constants: dict[str, Any]
    optimizer: Any
    skipped: Scalar
    skipped_in_row: Scalar
    key: UInt32[Array, "2"]


def variables_of(state: TrainState, *, average: bool) -> Variables:
    """Returns the network's variables: the average, or the parameters as they were last trained."""
    return merge(state.average if average else state.trained, state.frozen, state.constants)


def merge(trained: Leaves, frozen: Leaves, constants: dict[str, Any]) -> Variables:
    """Returns the network's variables from the two sets of parameters and the constants."""
    return {"params": nested({**trained, **frozen}), "constants": constants}


def split(state: TrainState) -> tuple[Variables, dict[str, Any]]:
    """Returns what evaluation reads and, by name, all else: the two parts of a checkpoint."""
    rest = state._asdict()
    for name in ("average", "frozen", "constants"):
        del rest[name]
    return variables_of(state, average=True), leaves_by_path(rest)


def join(like: TrainState, parts: tuple[Variables, dict[str, Any]]) -> TrainState:
    """Returns the state, of the structure of ``like``, that was split into these parts."""
    structure = jax.tree.structure(like)
    numbers = range(structure.num_leaves)
    places = jax.tree.leaves(split(jax.tree.unflatten(structure, numbers)))
    leaves = dict(zip(places, jax.tree.leaves(parts), strict=True))
    return jax.tree.unflatten(structure, [leaves[number] for number in numbers])
