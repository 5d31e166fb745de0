"""Modules of one shape and different weights, run as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from mavos_jax.models.backend import Backend
from mavos_jax.models.layers import PREPARED, STREAM


class Twins(nn.Module):
    """Runs modules one after the other, or as one batch, as ``Backend.twins`` says.

    It has no variables of its own: the modules keep theirs, or
    :mod:`mavos_jax.models.prepare` has stacked them. Where variables are made or dropout is drawn,
    the modules run one after the other.
    """

    backend: Backend

    @nn.compact
    def __call__(
        self, modules: Sequence[nn.Module], inputs: Sequence[tuple[Any, ...]], *static: Any
    ) -> list[Any]:
        """Returns each module's result for its own inputs, arrays of the same shapes for all."""
        is_sequential = self.backend.twins == "sequential"
        if is_sequential or self.is_initializing() or self.has_rng(STREAM):
            return [module(*own, *static) for module, own in zip(modules, inputs, strict=True)]
        if self.has_variable(PREPARED, "params"):
            params = self.get_variable(PREPARED, "params")
        else:
            params = jax.tree.map(_stack, *(module.variables["params"] for module in modules))
        alike = modules[0].clone(parent=None)

        def run(params: Any, given: tuple[Any, ...]) -> Any:
            return alike.apply({"params": params}, *given, *static)

        together = jax.vmap(run)(params, jax.tree.map(_stack, *inputs))
        return [jax.tree.map(lambda x, i=i: x[i], together) for i in range(len(modules))]


def _stack(*leaves: jax.Array) -> jax.Array:
    return jnp.stack(leaves)
