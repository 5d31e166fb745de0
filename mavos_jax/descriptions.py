"""A checkpoint's ``config.json``: the configuration, what wrote it, and checksums of the weights.

::

  format             of this file and the folder
  mavos_jax, ...     versions of what wrote it
  config             the experiment
  config_checksum    CRC-32 of the entry above
  checksums          CRC-32 of the weights' files by name
"""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax

from mavos_jax.checksums import file_checksums, text_checksum
from mavos_jax.config import Experiment, from_dict, to_dict

CONFIG = "config.json"
WEIGHTS = "weights"

_FORMAT = 2


class Stored(NamedTuple):
    """Where the parts of a checkpoint lie, and what they should hold.

    Attributes:
      config: the experiment.
      weights: the folder that Orbax reads.
      checksums: of the files in that folder, by their name; not empty.
    """

    config: Experiment
    weights: Path
    checksums: Mapping[str, str]


def write_description(folder: Path, config: Experiment) -> None:
    """Describes the weights that lie in a checkpoint's folder already."""
    values = to_dict(config)
    description = {
        "format": _FORMAT,
        "mavos_jax": _version("mavos_jax"),
        "jax": jax.__version__,
        "orbax-checkpoint": _version("orbax-checkpoint"),
        "config": values,
        "config_checksum": _checksum(values),
        "checksums": file_checksums(folder / WEIGHTS),
    }
    text = json.dumps(description, indent=2)
    (folder / CONFIG).write_text(f"{text}\n", encoding="utf-8")


def read_description(path: Path) -> Stored:
    """Returns the configuration of a checkpoint and what its weights should be.

    Raises:
      ValueError: there is no checkpoint at ``path``, or its description is damaged.
    """
    if not path.exists():
        raise ValueError(f"{path}: expected a checkpoint folder, found nothing")
    if not path.is_dir():
        raise ValueError(
            f"{path}: expected a checkpoint folder, found a file; "
            "convert PyTorch weights with convert_torch_weights.py first"
        )
    file = path / CONFIG
    if not file.is_file():
        raise ValueError(f"{path}: expected a checkpoint folder, found no {CONFIG} in it")
    try:
        description = json.loads(file.read_text(encoding="utf-8"))
        _check(description)
        config = from_dict(description["config"])
    except PermissionError:
        raise ValueError(
            f"{file}: expected a readable file, found that this user may not read it; change the "
            "permissions or copy the checkpoint"
        ) from None
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{file}: expected a configuration that this version reads, found a damaged one or one "
            f"of another version ({error}); write the checkpoint again"
        ) from None
    return Stored(config, path / WEIGHTS, description["checksums"])


def _check(description: Any) -> None:
    if not isinstance(description, dict):
        raise ValueError("expected an object")
    if description.get("format") != _FORMAT:
        raise ValueError(f"expected format {_FORMAT}, found {description.get('format')!r}")
    for entry in ("config", "checksums"):
        if not isinstance(description.get(entry), dict) or not description[entry]:
            raise ValueError(f"expected the entry {entry!r}")
    if description.get("config_checksum") != _checksum(description["config"]):
        raise ValueError("its entry 'config' is not what was written")


def _checksum(values: Mapping[str, Any]) -> str:
    """Returns a checksum of JSON values that does not depend on how they are laid out."""
    return text_checksum(json.dumps(values, sort_keys=True))


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
