"""A checkpoint's folder, ``config.json`` beside ``weights/``, by Orbax: seconds to import."""

import contextlib
import logging
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orbax.checkpoint as ocp

from mavos_jax.checkpoints.description import WEIGHTS, Stored, write_description
from mavos_jax.checkpoints.mismatch import require_fit
from mavos_jax.config import Experiment
from mavos_jax.runtime.files import file_checksums, replace_folder
from mavos_jax.runtime.trees import leaves_by_path


def write(path: Path, config: Experiment, variables: Mapping[str, Any]) -> None:
    """Writes variables in host memory and their description, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as name:
        complete, replaced = Path(name) / "complete", Path(name) / "replaced"
        complete.mkdir()
        with quiet_orbax(), ocp.StandardCheckpointer() as checkpointer:
            checkpointer.save(complete / WEIGHTS, variables)
        write_description(complete, config)
        replace_folder(path, complete, replaced)


def read(stored: Stored) -> dict[str, np.ndarray]:
    """Returns the arrays by path that fit a description; raises ValueError for damaged ones."""
    with stored.readable():  # Orbax misses some wrong bytes, so the checksums come first
        stored.require_checksums(file_checksums(stored.weights))
    with stored.readable(), quiet_orbax(), ocp.StandardCheckpointer() as checkpointer:
        metadata = checkpointer.metadata(stored.weights).item_metadata
        if metadata is None:
            raise FileNotFoundError("their description is missing or unreadable")
        shapes = {path: tuple(x.shape) for path, x in leaves_by_path(metadata.tree).items()}
    require_fit(stored.weights, stored.config, shapes)
    with stored.readable(), quiet_orbax(), ocp.StandardCheckpointer() as checkpointer:
        restored = checkpointer.restore(stored.weights)
    return leaves_by_path(restored)


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
