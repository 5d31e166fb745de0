"""Weights on disk, with the configuration of the network that they belong to.

A checkpoint is a folder::

  config.json   the experiment, what wrote the folder, and checksums
  weights/      ``{"params": ..., "constants": ...}``, written by Orbax
"""

import contextlib
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from mavos_jax.checkpoints import description
from mavos_jax.checkpoints.mismatch import require_finite, require_shapes, summarise_misfit
from mavos_jax.config import Experiment
from mavos_jax.config.checks import require_kind
from mavos_jax.models.mavos import MAVOS, Variables, build_model
from mavos_jax.runtime.files import file_checksums, replace_folder, require_writable_parent
from mavos_jax.runtime.trees import leaves_by_path

PathLike = str | os.PathLike[str]


def save(
    path: PathLike, config: Experiment, variables: Mapping[str, Any], *, overwrite: bool = False
) -> None:
    """Writes weights and their configuration into a folder that :func:`load` reads.

    The folder appears complete or not at all. ``variables`` are ``{"params": trained and frozen
    weights, "constants": batch-norm vectors}``. Raises ValueError if they are not those of the
    configuration, or something else is at ``path``.
    """
    path = _absolute(path)
    require_kind("config", config, Experiment, "an Experiment")
    require_kind("variables", variables, Mapping, "a dictionary of variables")
    require_free(path, overwrite=overwrite)
    host = {name: jax.device_get(dict(tree)) for name, tree in variables.items()}
    require_shapes(config, leaves_by_path(host))
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as name:
        complete, replaced = Path(name) / "complete", Path(name) / "replaced"
        complete.mkdir()
        with quiet_orbax(), ocp.StandardCheckpointer() as checkpointer:
            checkpointer.save(complete / description.WEIGHTS, host)
        description.write_description(complete, config)
        replace_folder(path, complete, replaced)


def load(path: PathLike) -> tuple[MAVOS, Variables]:
    """Returns the network of a checkpoint and its variables, NumPy arrays on no device yet.

    ``path`` is a folder written by :func:`save` or by ``convert_torch_weights.py``; or that of a
    training run, for the moving average of its best step. Raises ValueError if there is no
    checkpoint, it is damaged, or its weights are not those of its configuration.
    """
    stored = description.read_description(_absolute(path))
    _require_checksums(stored)
    return build_model(stored.config), _restore(stored)


def load_config_of(path: PathLike) -> Experiment:
    """Returns the configuration of a checkpoint without reading its weights."""
    return description.read_description(_absolute(path)).config


def _absolute(path: PathLike) -> Path:
    require_kind("path", path, (str, os.PathLike), "the path of a checkpoint folder")
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
    if not (path / description.CONFIG).is_file() or not (path / description.WEIGHTS).is_dir():
        raise ValueError(f"{path}: expected a checkpoint to overwrite, found something else")


def _require_checksums(stored: description.Stored) -> None:
    """Raises for damaged files before Orbax, which does not notice every wrong byte, reads them."""
    try:
        _require_readable(stored.weights)
        found = file_checksums(stored.weights)
    except PermissionError as error:
        raise ValueError(
            f"{error.filename or stored.weights}: expected readable weights, found that this user "
            "may not read them; change the permissions or copy the checkpoint"
        ) from None
    except OSError as error:
        raise _damaged(stored, str(error)) from None
    for name, checksum in stored.checksums.items():
        if found.get(name) != checksum:
            reason = "is missing" if name not in found else "is not what was written"
            raise _damaged(stored, f"{name} {reason}")


def _require_readable(folder: Path) -> None:
    """Raises PermissionError where a search for files would skip what it may not enter."""

    def fail(error: OSError) -> None:
        raise error

    for _ in os.walk(folder, onerror=fail):
        pass


def _restore(stored: description.Stored) -> Variables:
    """Reads the weights after a look at their names and shapes, which costs little."""
    try:
        with quiet_orbax(), ocp.StandardCheckpointer() as checkpointer:
            metadata = checkpointer.metadata(stored.weights).item_metadata
            if metadata is None:
                raise FileNotFoundError("their description is missing or unreadable")
            found = {path: tuple(x.shape) for path, x in leaves_by_path(metadata.tree).items()}
            misfit = summarise_misfit(stored.config, found)
            restored = None if misfit else checkpointer.restore(stored.weights)
    except MemoryError:
        raise
    # Orbax and its storage raise many kinds of exceptions for damaged files.
    except Exception as error:
        raise _damaged(stored, str(error).partition("\n")[0]) from None
    if restored is None:
        raise ValueError(
            f"{stored.weights}: expected the weights of the configuration beside them, found "
            f"{misfit}; write the checkpoint again"
        )
    require_finite(stored.weights, leaves_by_path(restored))
    return {"params": restored["params"], "constants": restored.get("constants", {})}


def _damaged(stored: description.Stored, reason: str) -> ValueError:
    return ValueError(
        f"{stored.weights}: expected readable weights, found damaged ones ({reason}); "
        "write the checkpoint again"
    )


@contextlib.contextmanager
def quiet_orbax() -> Iterator[None]:
    """Silences the remarks of Orbax, whose failures are reported as one exception instead."""
    levels = {name: logging.getLogger(name).level for name in ("absl", "asyncio")}
    for name in levels:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
