"""Weights on disk, with the configuration of the network that they belong to.

A checkpoint is a folder (:mod:`mavos_jax.checkpoints.folder`) or one ``.safetensors`` file
(:mod:`mavos_jax.checkpoints.one_file`).
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax

from mavos_jax.checkpoints import one_file
from mavos_jax.checkpoints.description import SUFFIX, Stored, is_checkpoint, read_description
from mavos_jax.checkpoints.mismatch import require_shapes
from mavos_jax.config import Experiment
from mavos_jax.config.checks import require_kind
from mavos_jax.models.mavos import MAVOS, Variables, build_model
from mavos_jax.runtime.files import require_writable_parent
from mavos_jax.runtime.trees import leaves_by_path

PathLike = str | os.PathLike[str]


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
        one_file.write(path, config, leaves)
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
        variables = one_file.read(stored)
    else:
        from mavos_jax.checkpoints import folder

        variables = folder.read(stored)
    return build_model(stored.config), variables


def load_config_of(path: PathLike) -> Experiment:
    """Returns the configuration of a checkpoint without reading its weights."""
    return read_description(_absolute(path)).config


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
