"""Weights that anyone can rebuild from the names and shapes of PyTorch's state dictionaries."""

import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mavos_jax.commands.parser import load_config
from mavos_jax.config import Experiment
from mavos_jax.conversion.convert import computed_buffers, convert_state_dict, torch_shapes
from mavos_jax.models.mavos import Variables

# Integer buffers: the model computes them, so nothing is drawn for them.
_COMPUTED = ("relative_position_index", "num_batches_tracked")


def seeded_state_dict(shapes: Mapping[str, Sequence[int]]) -> dict[str, np.ndarray]:
    """Draws the float32 weights behind the golden files for a PyTorch state dictionary's shapes."""
    return {
        name: _seeded_array(name, tuple(shape))
        for name, shape in shapes.items()
        if name.rpartition(".")[2] not in _COMPUTED
    }


def seeded_state(config: Experiment) -> dict[str, np.ndarray]:
    """The state dictionary of any network in PyTorch, with the buffers that it computes."""
    return seeded_state_dict(torch_shapes(config)) | computed_buffers(config)


def seeded_network(name: str) -> tuple[Experiment, Variables]:
    """The configuration of a released network, and variables from its weights in PyTorch."""
    config = load_config(f"configs/{name}.py")
    shapes = Path(__file__).parent / "goldens" / f"state_dict_{name.replace('_l', 'l')}.json"
    return config, convert_state_dict(config, seeded_state_dict(json.loads(shapes.read_text())))


def _seeded_array(name: str, shape: tuple[int, ...]) -> np.ndarray:
    x = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape)
    leaf = name.rpartition(".")[2]
    if leaf == "running_var":
        x = 1 + 0.2 * np.abs(x)
    elif leaf == "running_mean":
        x = 0.1 * x
    elif leaf == "relative_position_bias_table":
        x = 0.2 * x
    elif len(shape) == 1:
        x = 1 + 0.1 * x if leaf == "weight" else 0.05 * x
    else:
        x = x / np.sqrt(np.prod(shape[1:]))
    return x.astype(np.float32)
