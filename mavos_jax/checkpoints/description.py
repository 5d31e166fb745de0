"""What describes a checkpoint: JSON in a folder's ``config.json`` or a file's metadata.

It holds the format, the versions of what wrote it, the experiment, and checksums of that and of the
weights (of a folder by file, of a file by array); in ``others`` a run adds its step and score.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
from safetensors import SafetensorError, safe_open

from mavos_jax.config import Experiment, from_dict, to_dict
from mavos_jax.runtime.files import checksum, file_checksums
from mavos_jax.runtime.provenance import version_of

CONFIG = "config.json"
WEIGHTS = "weights"
# A checkpoint in one file ends in this, and has its description under this name in the metadata.
SUFFIX = ".safetensors"
ENTRY = "mavos_jax"
# Below the folder of a training run, a checkpoint of each of its last steps by its number.
STEPS = "checkpoints"
# Under this name lies in ``others`` what a score depends on beside the weights, as a checksum.
SCORE_CONDITIONS = "score_conditions"
_FORMAT = 2


class OtherVersion(ValueError):  # noqa: N818 - the name says what is wrong
    """A checkpoint is whole, but of a version of this package that describes it differently."""


class NoCheckpoint(ValueError):  # noqa: N818
    """A file is sound, as far as one can tell, and no checkpoint of this package."""


class Stored(NamedTuple):
    """A checkpoint's weights, a folder or a file, their checksums, and what the writer added."""

    config: Experiment
    weights: Path
    checksums: Mapping[str, str]
    others: Mapping[str, Any]

    @property
    def title(self) -> str:
        """The configuration's name and, of a training run, the step and its J&F if it has one."""
        step, score = self.others.get("step"), self.others.get("score")
        words = self.config.name if step is None else f"{self.config.name}, step {step}"
        return words if score is None else f"{words}, J&F {100 * score:.1f}"

    @contextlib.contextmanager
    def readable(self) -> Iterator[None]:
        """Raises ValueError for what libraries raise in the block for damaged or locked weights."""
        try:
            yield
        except MemoryError:
            raise
        except PermissionError as error:
            raise ValueError(
                f"{error.filename or self.weights}: expected readable weights, found that this "
                "user may not read them; change the permissions or copy the checkpoint"
            ) from None
        except Exception as error:  # damaged files raise many kinds
            reason = " ".join(str(error).split())
            raise ValueError(
                f"{self.weights}: expected readable weights, found damaged ones ({reason}); "
                "write the checkpoint again"
            ) from None

    def require_checksums(self, found: Mapping[str, str]) -> None:
        """Raises ValueError unless the weights are those that were written."""
        for name, written in self.checksums.items():
            if found.get(name) != written:
                reason = "is missing" if name not in found else "is not what was written"
                raise ValueError(f"{name} {reason}")


class Score(NamedTuple):
    """J&F of the weights of a step, 0 to 1, and a checksum of what else it depends on."""

    value: float
    conditions: str | None


def write_description(folder: Path, config: Experiment, others: Mapping[str, Any] = {}) -> None:
    """Describes the weights in a checkpoint's folder; ``others`` are JSON values kept with them."""
    text = describe(config, file_checksums(folder / WEIGHTS), others)
    (folder / CONFIG).write_text(f"{text}\n", encoding="utf-8")


def describe(
    config: Experiment, checksums: Mapping[str, str], others: Mapping[str, Any] = {}
) -> str:
    """Returns the description of weights that have these checksums."""
    values = to_dict(config)
    description = {
        "format": _FORMAT,
        "mavos_jax": version_of("mavos_jax") or "unknown",
        "jax": jax.__version__,
        "orbax-checkpoint": version_of("orbax-checkpoint") or "unknown",
        "config": values,
        "config_checksum": _checksum(values),
        "checksums": dict(checksums),
        **({"others": dict(others)} if others else {}),
    }
    return json.dumps(description, indent=2)


def is_checkpoint(path: Path) -> bool:
    """Says whether a folder or file is a checkpoint by its look, and no file of somebody else."""
    if path.is_dir():
        return (path / CONFIG).is_file() and (path / WEIGHTS).is_dir()
    try:
        return bool(_text(path))
    except (SafetensorError, OSError, ValueError):
        return False


def read_description(path: Path) -> Stored:
    """Returns the configuration of a checkpoint and what its weights should be.

    A training run's folder stands for its best checkpoint under the conditions of the newest score,
    or for its newest if none was scored. Raises :class:`OtherVersion` for what another one wrote.
    """
    if not path.exists():
        raise ValueError(f"{path}: expected a checkpoint, found nothing")
    file = weights = path
    if path.is_dir():
        if (path / STEPS).is_dir() and not (path / CONFIG).exists():
            path = _best_step(path / STEPS)
        file, weights = path / CONFIG, path / WEIGHTS
        if not file.is_file():
            raise ValueError(f"{path}: expected a checkpoint folder, found no {CONFIG} in it")
    try:
        description = json.loads(_text(file))
        config = _checked_config(description)
    except NoCheckpoint:
        raise
    except OtherVersion as error:
        raise OtherVersion(
            f"{file}: expected a configuration that this version reads, found one of another "
            f"version ({error}); use the version that wrote it, or write the checkpoint again"
        ) from None
    except PermissionError:
        raise ValueError(
            f"{file}: expected a readable file, found that this user may not read it; change the "
            "permissions or copy the checkpoint"
        ) from None
    except (SafetensorError, ValueError, TypeError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{file}: expected the description of a checkpoint, found a damaged one ({reason}); "
            "bring back a copy, or write the checkpoint again"
        ) from None
    return Stored(config, weights, description["checksums"], description.get("others", {}))


def _text(file: Path) -> str:
    if file.name == CONFIG:
        return file.read_text(encoding="utf-8")
    metadata = {}
    if file.suffix == SUFFIX:
        with safe_open(file, "np") as opened:
            metadata = opened.metadata() or {}
    if ENTRY not in metadata:
        raise NoCheckpoint(
            f"{file}: expected a checkpoint, a folder or {SUFFIX} file of this package, found "
            "another file; convert PyTorch weights with convert_torch_weights.py first"
        )
    return metadata[ENTRY]


def steps_in(folder: Path) -> list[int]:
    """Returns the steps of a training run that have a checkpoint in ``folder``, ascending."""
    return sorted(int(x.name) for x in folder.iterdir() if x.name.isdecimal() and x.is_dir())


def scores_in(folder: Path) -> dict[int, Score]:
    """Returns the scores of a training run's checkpoints by step, where they have one."""
    found = {}
    for step in steps_in(folder):
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError, RecursionError):
            others = json.loads((folder / str(step) / CONFIG).read_text(encoding="utf-8"))["others"]
            found[step] = Score(float(others["score"]), others.get(SCORE_CONDITIONS))
    return found


def best_step(scores: Mapping[int, Score]) -> int | None:
    """Returns the step with the best score among those under the conditions of the newest."""
    if not scores:
        return None
    conditions = scores[max(scores)].conditions
    return max((x.value, step) for step, x in scores.items() if x.conditions == conditions)[1]


def _best_step(folder: Path) -> Path:
    steps = steps_in(folder)
    if not steps:
        raise ValueError(
            f"{folder}: expected a checkpoint of a training run, found none yet; wait for its first"
        )
    best = best_step(scores_in(folder))
    return folder / str(steps[-1] if best is None else best)


def _checked_config(description: Any) -> Experiment:
    if not isinstance(description, dict):
        raise ValueError("expected an object")
    if description.get("format") != _FORMAT:
        raise OtherVersion(f"expected format {_FORMAT}, found {description.get('format')!r}")
    for entry in ("config", "checksums"):
        if not isinstance(description.get(entry), dict) or not description[entry]:
            raise ValueError(f"expected the entry {entry!r}")
    if not isinstance(description.get("others", {}), dict):
        raise ValueError("expected an object in the entry 'others'")
    if description.get("config_checksum") != _checksum(description["config"]):
        raise ValueError("its entry 'config' is not what was written")
    try:
        return from_dict(description["config"])
    except (ValueError, TypeError) as error:
        raise OtherVersion(str(error)) from None


def _checksum(values: Mapping[str, Any]) -> str:
    return checksum(json.dumps(values, sort_keys=True))
