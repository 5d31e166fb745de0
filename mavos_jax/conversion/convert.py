"""Applies the conversion table in both directions."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from mavos_jax.checkpoints import mismatch
from mavos_jax.config import Experiment
from mavos_jax.config.checks import require_kind
from mavos_jax.conversion.rules import computed_buffers, conversion_rules
from mavos_jax.models.mavos import Variables
from mavos_jax.runtime.trees import leaves_by_path, nested

NOT_FINITE = "expected finite numbers, found NaN or infinity"
"""The problem of an array that no configuration can mend."""


def convert_state_dict(config: Experiment, state: Mapping[str, Any]) -> Variables:
    """Converts a PyTorch state dictionary, arrays by name, into the network's variables.

    Total: every array is used and every variable is filled. Arrays of other floating-point types
    become float32. The integer buffers ``relative_position_index`` may be missing. Returns
    ``{"params": weights, "constants": batch-norm vectors}``, NumPy arrays. Raises
    :class:`WeightsMismatch`, a ValueError that lists everything missing, unexpected or misshapen.
    """
    require_kind("config", config, Experiment, "an Experiment")
    require_kind("state", state, Mapping, "arrays by PyTorch name; the script reads files")
    problems = find_problems(config, state)
    if problems:
        raise mismatch.WeightsMismatch(problems)
    leaves = {
        rule.flax: _own(rule.layout.to_flax(np.asarray(state[rule.torch])))
        for rule in conversion_rules(config)
    }
    return {"params": {}, "constants": {}, **nested(leaves)}


def to_state_dict(config: Experiment, variables: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Converts variables into a PyTorch state dictionary: the inverse of the conversion.

    Returns float32 arrays by PyTorch name, and the integer buffers ``relative_position_index``.
    Raises :class:`WeightsMismatch`, a ValueError that lists every variable that does not fit.
    """
    require_kind("config", config, Experiment, "an Experiment")
    require_kind("variables", variables, Mapping, "a dictionary of variables")
    leaves = leaves_by_path(variables)
    mismatch.require_shapes(config, leaves)
    state = {
        rule.torch: _own(rule.layout.to_torch(np.asarray(leaves[rule.flax])))
        for rule in conversion_rules(config)
    }
    return state | computed_buffers(config)


def torch_shapes(config: Experiment) -> dict[str, tuple[int, ...]]:
    """Returns the shape of every weight by its PyTorch name, in PyTorch's order."""
    shapes = mismatch.expected_shapes(config)
    return {x.torch: x.layout.torch_shape(shapes[x.flax]) for x in conversion_rules(config)}


def find_problems(config: Experiment, state: Mapping[str, Any]) -> mismatch.Problems:
    """Returns everything that keeps a PyTorch state dictionary from being converted."""
    arrays = {name: np.asarray(array) for name, array in state.items()}
    expected, buffers = torch_shapes(config), computed_buffers(config)
    problems = mismatch.compare_shapes(
        expected, {name: array.shape for name, array in arrays.items() if name not in buffers}
    )
    mismatched = dict(problems.mismatched)
    for name in expected:
        if name not in arrays or name in mismatched:
            continue
        kind = arrays[name].dtype
        if not np.issubdtype(kind, np.floating) and kind.name != "bfloat16":
            mismatched[name] = f"expected floating-point numbers, found {kind}"
        elif not np.isfinite(arrays[name]).all():
            mismatched[name] = NOT_FINITE
    for name, index in buffers.items():
        if name in arrays and not np.array_equal(arrays[name], index):
            mismatched[name] = "expected the index of the configured window, found another"
    return dataclasses.replace(problems, mismatched=mismatched)


def _own(view: np.ndarray) -> np.ndarray:
    return np.array(view, np.float32, order="C")
