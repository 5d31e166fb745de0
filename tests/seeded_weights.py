"""Weights that anyone can rebuild from the names and shapes of PyTorch's state dictionaries."""

import zlib
from collections.abc import Mapping, Sequence

import numpy as np

# Integer buffers: the model computes them, so nothing is drawn for them.
_COMPUTED = ("relative_position_index", "num_batches_tracked")


def seeded_state_dict(shapes: Mapping[str, Sequence[int]], seed: int = 0) -> dict[str, np.ndarray]:
    """Draws the float32 weights behind the golden files, whose ``weight_seed`` the seed is."""
    return {
        name: _seeded_array(name, tuple(shape), seed)
        for name, shape in shapes.items()
        if name.rpartition(".")[2] not in _COMPUTED
    }


def _seeded_array(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    random = np.random.RandomState((zlib.crc32(name.encode()) + seed) % 2**32)
    x = random.standard_normal(shape)
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
