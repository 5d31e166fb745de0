"""Weights and their configuration on disk: checkpoints, a folder or ``.safetensors`` file each."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from safetensors import numpy as safetensors

from mavos_jax.checkpoints.description import (
    ENTRY,
    SUFFIX,
    Stored,
    describe,
    is_checkpoint,
    read_description,
)
from mavos_jax.checkpoints.mismatch import require_finite, require_fit, require_shapes
from mavos_jax.config import Experiment
from mavos_jax.config.checks import require_kind
from mavos_jax.models.mavos import MAVOS, Variables, build_model
from mavos_jax.runtime.files import checksum, require_writable_parent, written_whole
from mavos_jax.runtime.trees import leaves_by_path, nested

PathLike = str | os.PathLike[str]
DEFAULT_NAME = "small"
FOLDER = Path(__file__).parents[1] / "weights"  # made by ``tools/pack_weights.py``


def save(
    path: PathLike, config: Experiment, variables: Mapping[str, Any], *, overwrite: bool = False
) -> None:
    """Writes weights and their configuration into one file or a folder that :func:`load` reads.

    A path that ends in ``.safetensors`` is a file, any other a folder. It appears complete or not
    at all. ``variables`` are ``{"params": trained and frozen weights, "constants": batch-norm
    vectors}``. Raises ValueError if they are not those of the configuration, or something else is
    at ``path``.
    """
    path = _absolute(path)
    require_kind("config", config, Experiment, "an Experiment")
    require_kind("variables", variables, Mapping, "a dictionary of variables")
    require_free(path, overwrite=overwrite)
    host = {name: jax.device_get(dict(tree)) for name, tree in variables.items()}
    leaves = leaves_by_path(host)
    require_shapes(config, leaves)
    if path.suffix == SUFFIX:
        write_file(path, config, leaves)
    else:
        from mavos_jax.checkpoints import folder  # only folders need Orbax

        folder.write(path, config, host)


def load(path: PathLike) -> tuple[MAVOS, Variables]:
    """Returns the network of a checkpoint and its variables, NumPy arrays on no device yet.

    ``path`` is what :func:`save` or ``convert_torch_weights.py`` wrote, a folder or a file; or the
    folder of a training run, for the moving average of its best step. Raises ValueError if there is
    no checkpoint, it is damaged, or its weights are not those of its configuration.
    """
    return load_stored(read_description(_absolute(path)))


def load_stored(stored: Stored) -> tuple[MAVOS, Variables]:
    """Returns the network and the variables of a checkpoint whose description has been read."""
    if stored.weights.suffix == SUFFIX:
        with stored.readable():
            arrays = safetensors.load_file(stored.weights)
            stored.require_checksums(_checksums(arrays))
        require_fit(stored.weights, stored.config, {name: x.shape for name, x in arrays.items()})
    else:
        from mavos_jax.checkpoints import folder

        arrays = folder.read(stored)
    require_finite(stored.weights, arrays)
    return build_model(stored.config), to_variables(arrays)


def load_config_of(path: PathLike) -> Experiment:
    """Returns the configuration of a checkpoint without reading its weights."""
    return read_description(_absolute(path)).config


def load_default(folder: Path | None = None) -> tuple[MAVOS, Variables]:
    """Returns the network that comes with the package, or with ``folder``, and its weights.

    It is ``small``, trained on real and generated video and for research and non-commercial use
    only, like its data; ``docs/models.md`` tells how well it does. Variables are float32 NumPy
    arrays, on no device yet. Raises ValueError for damaged files.
    """
    return load_stored(read_default(folder))


def read_default(folder: Path | None = None) -> Stored:
    """Returns what is known of the weights in a folder, by default the packaged ones."""
    folder = FOLDER if folder is None else folder
    require_kind("folder", folder, Path, "a Path of a folder, or none")
    file = folder / f"{DEFAULT_NAME}{SUFFIX}"
    if not file.is_file():
        raise ValueError(
            f"{file}: expected the weights that come with the package, found none; install it "
            "again, give others with --checkpoint DIR, or try the program without any by --config "
            "configs/tiny.py --untrained"
        )
    return read_description(file)


def describe_default(stored: Stored) -> str:
    """Tells in a line what packaged weights are."""
    return ", ".join(filter(None, (stored.config.name, stored.others.get("about"))))


def _absolute(path: PathLike) -> Path:
    require_kind("path", path, (str, os.PathLike), "the path of a checkpoint")
    return Path(os.path.abspath(path))


def require_free(path: PathLike, *, overwrite: bool = False) -> None:
    """Raises unless a checkpoint may be written at ``path``, or overwritten there."""
    require_writable_parent(path)
    path = Path(path)
    if not os.path.lexists(path):
        return
    if not overwrite:
        raise ValueError(
            f"{path}: expected a path where nothing is yet; choose another, or overwrite it "
            "(--overwrite)"
        )
    if not is_checkpoint(path) or (path.is_dir() and path.suffix == SUFFIX):
        raise ValueError(f"{path}: expected a checkpoint to overwrite, found something else")


def write_file(
    path: Path, config: Experiment, leaves: Mapping[str, Any], others: Mapping[str, Any] = {}
) -> None:
    """Writes arrays whole or not at all; the same ones and description give the same bytes."""
    # What is not contiguous, safetensors would write in another order.
    arrays = {name: np.asarray(leaf, order="C") for name, leaf in sorted(leaves.items())}
    description = describe(config, _checksums(arrays), others)
    with written_whole(path) as temporary:
        temporary.write_bytes(safetensors.save(arrays, {ENTRY: description}))


def to_variables(arrays: Mapping[str, np.ndarray]) -> Variables:
    """Returns arrays by path as variables; halves, which make a file small, become float32."""
    wide = {
        name: x.astype(np.float32, copy=False) if jnp.issubdtype(x.dtype, jnp.floating) else x
        for name, x in arrays.items()
    }
    return {"params": {}, "constants": {}, **nested(wide)}


def _checksums(arrays: Mapping[str, np.ndarray]) -> dict[str, str]:
    return {name: checksum(x.dtype.name.encode() + x.tobytes()) for name, x in arrays.items()}
