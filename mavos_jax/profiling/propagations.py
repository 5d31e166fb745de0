"""The propagations inside the transformer's blocks, taken out with the arrays they are called with.

The calls are noted while the whole transformer runs, so nothing here repeats its wiring.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax

from mavos_jax.models.mavos import MAVOS, Features, Variables
from mavos_jax.models.memory import Memory

_KINDS = {
    "long_term": "long-term",
    "short_term": "short-term",
    "self_propagation": "self",
    "self_attention": "self",
}
"""What propagations are called here, by the names of their modules."""

Path = tuple[str, ...]


class Propagation(NamedTuple):
    """One propagation of one block.

    Attributes:
      name: block and kind.
      run: computes it from the variables of its module and the arrays of its call.
      arguments: these two.
    """

    name: str
    run: Callable[[Variables, list[Any]], Any]
    arguments: tuple[Variables, list[Any]]


def find_propagations(
    model: MAVOS, variables: Variables, features: Features, memory: Memory
) -> list[Propagation]:
    """Returns the propagations that a frame runs, in that order."""
    calls: dict[Path, Callable[[Variables, list[Any]], Any]] = {}

    def propagate(variables: Variables, features: Features, memory: Memory) -> list[list[Any]]:
        arrays = []

        def note(call: Callable[..., Any], args: Any, kwargs: Any, context: Any) -> Any:
            path = context.module.path
            if context.method_name == "__call__" and path[-1:] and path[-1] in _KINDS:
                leaves, tree = jax.tree.flatten((args, kwargs))
                arrays.append([leaf for leaf in leaves if isinstance(leaf, jax.Array)])
                fixed = [None if isinstance(leaf, jax.Array) else leaf for leaf in leaves]
                calls[path] = _caller(context.module.clone(parent=None, name=None), fixed, tree)
            return call(*args, **kwargs)

        with nn.intercept_methods(note):
            model.apply(variables, features, memory, method="propagate")
        return arrays

    arrays = jax.jit(propagate)(variables, features, memory)
    return [
        Propagation(f"{path[-2]} {_KINDS[path[-1]]}", run, (_variables_at(path, variables), given))
        for (path, run), given in zip(calls.items(), arrays, strict=True)
    ]


def _caller(
    module: nn.Module, fixed: list[Any], tree: Any
) -> Callable[[Variables, list[Any]], Any]:
    """Returns the call of a module as a function of its variables and arrays."""

    def run(variables: Variables, arrays: list[Any]) -> Any:
        given = iter(arrays)
        leaves = [next(given) if leaf is None else leaf for leaf in fixed]
        args, kwargs = jax.tree.unflatten(tree, leaves)
        return module.apply(variables, *args, **kwargs)

    return run


def _variables_at(path: Path, variables: Variables) -> Variables:
    """Returns the variables of the module at a path."""
    found = {}
    for collection, tree in variables.items():
        for name in path:
            tree = tree.get(name, {})
        found[collection] = tree
    return found
