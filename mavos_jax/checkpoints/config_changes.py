"""Which fields of a configuration keep a checkpoint's weights from fitting it."""

from __future__ import annotations

import itertools
import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mavos_jax.checkpoints.mismatch import expected_shapes
from mavos_jax.config import Experiment, from_dict, to_dict
from mavos_jax.runtime.trees import fields_by_path

_NUM_NAMED = 3

_PARTS_OF_KINDS = ("encoder", "elstt")
"""Parts of the network that are of one of several kinds."""

_SHORT = reprlib.Repr()
_SHORT.maxtuple = 3


def require_same_shapes(
    checkpoint: Path, stored: Experiment, asked: Experiment, file: Experiment | None = None
) -> None:
    """Raises unless a checkpoint's weights fit the configuration that a command asks for.

    Args:
      checkpoint: the folder of the weights, for the message.
      stored: the configuration in it.
      asked: the configuration of the command, with its overrides.
      file: the configuration of ``--config`` without overrides, if there is one.

    Raises:
      ValueError: they do not; the message names the fields that differ and what to drop.
    """
    if file is not None and not _have_same_shapes(stored, file):
        changes = _describe(_reshaping_fields(stored, file, _NUM_NAMED + 1))
        raise ValueError(
            f"{checkpoint} holds {stored.name!r}, --config names {file.name!r} ({changes}); "
            "drop --config or choose the checkpoint of it"
        )
    if not _have_same_shapes(stored, asked):
        fields = _reshaping_fields(stored, asked, None)
        raise ValueError(
            f"{checkpoint}: expected options that keep the shapes of its weights, found "
            f"{_describe(fields)}; drop {', '.join(f'--{name}' for name in fields)}"
        )


def _have_same_shapes(first: Experiment, second: Experiment) -> bool:
    return first == second or expected_shapes(first) == expected_shapes(second)


def _reshaping_fields(
    stored: Experiment, asked: Experiment, limit: int | None
) -> dict[str, tuple[Any, Any]]:
    """Returns the first fields that change the shapes of weights: path, stored and asked value."""
    before, after = fields_by_path(to_dict(stored)), fields_by_path(to_dict(asked))
    for part in _PARTS_OF_KINDS:
        if before[f"{part}.kind"] != after[f"{part}.kind"]:
            # The sizes of different encoders have nothing to do with each other.
            before, after = _without_sizes(part, before), _without_sizes(part, after)
    differing = {
        name: (before[name], after[name]) for name in before if before[name] != after[name]
    }
    # Each look traces a network, which takes up to a second.
    reshaping = (item for item in differing.items() if _reshapes(stored, item[0], item[1][1]))
    return dict(itertools.islice(reshaping, limit)) or differing


def _without_sizes(part: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Drops the fields of a part of the network but its kind."""
    kind = f"{part}.kind"
    return {n: x for n, x in values.items() if n == kind or not n.startswith(f"{part}.")}


def _reshapes(stored: Experiment, name: str, value: Any) -> bool:
    """Says whether one changed field gives other shapes, or no valid configuration by itself."""
    if name in {f"{part}.kind" for part in _PARTS_OF_KINDS}:
        return True
    values = to_dict(stored)
    *parents, leaf = name.split(".")
    part = values
    for parent in parents:
        part = part[parent]
    part[leaf] = value
    try:
        changed = from_dict(values)
    except ValueError:
        return True
    return not _have_same_shapes(stored, changed)


def _describe(fields: Mapping[str, tuple[Any, Any]]) -> str:
    parts = [
        f"{name}: {_SHORT.repr(before)} in the checkpoint, {_SHORT.repr(after)} asked for"
        for name, (before, after) in fields.items()
    ]
    return ", ".join(parts[:_NUM_NAMED]) + (" and more" if len(parts) > _NUM_NAMED else "")
