"""A checkpoint's ``config.json``: the configuration, what wrote it, and checksums of the weights.

::

  format             of this file and the folder
  mavos_jax, ...     versions of what wrote it
  config             the experiment
  config_checksum    CRC-32 of the entry above
  checksums          CRC-32 of the weights' files by name
  others             what a training run adds: its step, its score and more
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax

from mavos_jax.config import Experiment, from_dict, to_dict
from mavos_jax.runtime.files import checksum, file_checksums
from mavos_jax.runtime.provenance import version_of

CONFIG = "config.json"
WEIGHTS = "weights"
# Below the folder of a training run, a checkpoint of each of its last steps by its number.
STEPS = "checkpoints"
# Under this name lies in ``others`` what a score depends on beside the weights, as a checksum.
SCORE_CONDITIONS = "score_conditions"
_FORMAT = 2


class OtherVersion(ValueError):  # noqa: N818 - the name says what is wrong
    """A checkpoint is whole, but of a version of this package that describes it differently."""


class Stored(NamedTuple):
    """The folder of a checkpoint's weights, its files' checksums, and what the writer added."""

    config: Experiment
    weights: Path
    checksums: Mapping[str, str]
    others: Mapping[str, Any]


class Score(NamedTuple):
    """J&F of the weights of a step, 0 to 1, and a checksum of what else it depends on."""

    value: float
    conditions: str | None


def write_description(folder: Path, config: Experiment, others: Mapping[str, Any] = {}) -> None:
    """Describes the weights in a checkpoint's folder; ``others`` are JSON values kept with them."""
    values = to_dict(config)
    description = {
        "format": _FORMAT,
        "mavos_jax": version_of("mavos_jax") or "unknown",
        "jax": jax.__version__,
        "orbax-checkpoint": version_of("orbax-checkpoint") or "unknown",
        "config": values,
        "config_checksum": _checksum(values),
        "checksums": file_checksums(folder / WEIGHTS),
        **({"others": dict(others)} if others else {}),
    }
    text = json.dumps(description, indent=2)
    (folder / CONFIG).write_text(f"{text}\n", encoding="utf-8")


def read_description(path: Path) -> Stored:
    """Returns the configuration of a checkpoint and what its weights should be.

    A training run's folder stands for its best checkpoint under the conditions of the newest score,
    or for its newest if none was scored. Raises :class:`OtherVersion` for what another one wrote.
    """
    if not path.exists():
        raise ValueError(f"{path}: expected a checkpoint folder, found nothing")
    if not path.is_dir():
        raise ValueError(
            f"{path}: expected a checkpoint folder, found a file; "
            "convert PyTorch weights with convert_torch_weights.py first"
        )
    if (path / STEPS).is_dir() and not (path / CONFIG).exists():
        path = _best_step(path / STEPS)
    file = path / CONFIG
    if not file.is_file():
        raise ValueError(f"{path}: expected a checkpoint folder, found no {CONFIG} in it")
    try:
        description = json.loads(file.read_text(encoding="utf-8"))
        _check(description)
    except OtherVersion as error:
        raise _other_version(file, error) from None
    except PermissionError:
        raise ValueError(
            f"{file}: expected a readable file, found that this user may not read it; change the "
            "permissions or copy the checkpoint"
        ) from None
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(
            f"{file}: expected the description of a checkpoint, found a damaged one ({error}); "
            "bring back a copy, or write the checkpoint again"
        ) from None
    try:
        config = from_dict(description["config"])
    except (ValueError, TypeError) as error:
        raise _other_version(file, error) from None
    others = description.get("others", {})
    return Stored(config, path / WEIGHTS, description["checksums"], others)


def steps_in(folder: Path) -> list[int]:
    """Returns the steps of a training run that have a checkpoint in ``folder``, ascending."""
    return sorted(int(x.name) for x in folder.iterdir() if x.name.isdecimal() and x.is_dir())


def scores_in(folder: Path) -> dict[int, Score]:
    """Returns the scores of a training run's checkpoints by step, where they have one."""
    found = {step: _score(folder / str(step)) for step in steps_in(folder)}
    return {step: score for step, score in found.items() if score is not None}


def best_step(scores: Mapping[int, Score]) -> int | None:
    """Returns the step with the best score among those under the conditions of the newest."""
    if not scores:
        return None
    conditions = scores[max(scores)].conditions
    comparable = [(x.value, step) for step, x in scores.items() if x.conditions == conditions]
    return max(comparable)[1]


def _best_step(folder: Path) -> Path:
    steps = steps_in(folder)
    if not steps:
        raise ValueError(
            f"{folder}: expected a checkpoint of a training run, found none yet; wait for its first"
        )
    best = best_step(scores_in(folder))
    return folder / str(steps[-1] if best is None else best)


def _score(path: Path) -> Score | None:
    try:
        others = json.loads((path / CONFIG).read_text(encoding="utf-8"))["others"]
        return Score(float(others["score"]), others.get(SCORE_CONDITIONS))
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None


def _check(description: Any) -> None:
    if not isinstance(description, dict):
        raise ValueError("expected an object")
    if description.get("format") != _FORMAT:
        raise OtherVersion(f"expected format {_FORMAT}, found {description.get('format')!r}")
    for entry in ("config", "checksums"):
        if not isinstance(description.get(entry), dict) or not description[entry]:
            raise ValueError(f"expected the entry {entry!r}")
    if description.get("config_checksum") != _checksum(description["config"]):
        raise ValueError("its entry 'config' is not what was written")


def _other_version(file: Path, reason: Exception) -> OtherVersion:
    return OtherVersion(
        f"{file}: expected a configuration that this version reads, found one of another version "
        f"({reason}); use the version that wrote it, or write the checkpoint again"
    )


def _checksum(values: Mapping[str, Any]) -> str:
    return checksum(json.dumps(values, sort_keys=True))
