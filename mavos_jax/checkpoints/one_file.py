"""A checkpoint in one safetensors file: arrays by path, and their description in its metadata.

Paths are such as ``params/decoder/conv_in/bias``. Arrays in float16, which halve the file, are read
as float32.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save

from mavos_jax.checkpoints.description import ENTRY, Stored, describe
from mavos_jax.checkpoints.mismatch import require_finite, require_fit
from mavos_jax.config import Experiment
from mavos_jax.models.mavos import Variables
from mavos_jax.runtime.files import checksum, written_whole
from mavos_jax.runtime.trees import nested


def write(
    path: Path, config: Experiment, leaves: Mapping[str, Any], others: Mapping[str, Any] = {}
) -> None:
    """Writes arrays whole or not at all; the same ones and description give the same bytes."""
    # What is not contiguous, safetensors would write in another order.
    arrays = {name: np.asarray(leaf, order="C") for name, leaf in sorted(leaves.items())}
    description = describe(config, _checksums(arrays), others)
    with written_whole(path) as temporary:
        temporary.write_bytes(save(arrays, {ENTRY: description}))


def read(stored: Stored) -> Variables:
    """Returns the weights that fit a description; raises ValueError for damaged ones."""
    with stored.readable():
        arrays = load_file(stored.weights)
        stored.require_checksums(_checksums(arrays))
    require_fit(stored.weights, stored.config, {name: x.shape for name, x in arrays.items()})
    require_finite(stored.weights, arrays)
    return to_variables(arrays)


def to_variables(arrays: Mapping[str, np.ndarray]) -> Variables:
    """Returns arrays by path as the variables of a network."""
    wide = {
        name: array.astype(np.float32) if array.dtype == np.float16 else array
        for name, array in arrays.items()
    }
    return {"params": {}, "constants": {}, **nested(wide)}


def _checksums(arrays: Mapping[str, np.ndarray]) -> dict[str, str]:
    return {name: checksum(x.dtype.name.encode() + x.tobytes()) for name, x in arrays.items()}
