"""What does not fit between named arrays, a network, and the options of a command."""

import dataclasses
import functools
import itertools
import re
import reprlib
import types
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from flax import traverse_util

from mavos_jax.config import Experiment, from_dict, to_dict
from mavos_jax.models.mavos import variable_shapes
from mavos_jax.runtime.trees import fields_by_path, leaves_by_path

Shapes = Mapping[str, tuple[int, ...]]

_NUM_LISTED = 12


@dataclasses.dataclass(frozen=True)
class Problems:
    """The names that the arrays lack, that the network does not know, and what else is wrong."""

    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    mismatched: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.missing or self.unexpected or self.mismatched)

    def __str__(self) -> str:
        return self._describe(lambda names, _: ", ".join(map(self._with_problem, names)))

    def summary(self, expected: Iterable[str], found: Iterable[str]) -> str:
        """Describes the problems; :func:`abbreviate` shortens long lists of all these names."""
        known = {"missing": tuple(expected), "unexpected": tuple(found)}
        known["mismatched"] = known["missing"]
        return self._describe(
            lambda names, kind: abbreviate(names, known[kind], self._with_problem)
        )

    def _describe(self, join: Callable[[Sequence[str], str], str]) -> str:
        parts = ((kind, tuple(names)) for kind, names in vars(self).items() if names)
        return "; ".join(f"{len(names)} {kind}: {join(names, kind)}" for kind, names in parts)

    def _with_problem(self, name: str) -> str:
        shown = _printable(name)
        return f"{shown} ({self.mismatched[name]})" if name in self.mismatched else shown


def _printable(name: str) -> str:
    return name if name.isprintable() else repr(name)


class WeightsMismatch(ValueError):  # noqa: N818 - the name says what is wrong
    """Named arrays do not fit a network; the message lists every name, as ``problems`` does."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        super().__init__(f"expected arrays that fit the configuration, found {problems}")


@functools.cache
def expected_shapes(config: Experiment) -> Shapes:
    """Returns the shape of every variable by path, such as ``params/decoder/conv_in/bias``."""
    leaves = leaves_by_path(variable_shapes(config))
    return types.MappingProxyType({path: leaf.shape for path, leaf in leaves.items()})


def compare_shapes(
    expected: Mapping[str, object], found: Mapping[str, object], noun: str = "shape "
) -> Problems:
    """Compares the shapes, or other forms, of arrays by name; messages call them ``noun``."""
    return Problems(
        missing=tuple(name for name in expected if name not in found),
        unexpected=tuple(name for name in found if name not in expected),
        mismatched={
            name: f"expected {noun}{form}, found {found[name]}"
            for name, form in expected.items()
            if name in found and found[name] != form
        },
    )


def require_fit(source: object, config: Experiment, found: Shapes) -> None:
    """Raises ValueError unless shapes by path are those of the configuration stored with them."""
    expected = expected_shapes(config)
    misfit = compare_shapes(expected, found).summary(expected, found)
    if misfit:
        raise ValueError(
            f"{source}: expected the weights of the configuration with them, found {misfit}; "
            "write the checkpoint again"
        )


def require_shapes(config: Experiment, leaves: Mapping[str, Any]) -> None:
    """Raises WeightsMismatch unless arrays by path are the variables of a configuration."""
    found = {path: np.shape(leaf) for path, leaf in leaves.items()}
    problems = compare_shapes(expected_shapes(config), found)
    if problems:
        raise WeightsMismatch(problems)


def require_finite(source: object, arrays: Mapping[str, np.ndarray]) -> None:
    """Raises ValueError if arrays hold NaN or infinity; the message names ``source`` and them."""
    bad = tuple(name for name, array in arrays.items() if not np.isfinite(array).all())
    if bad:
        raise ValueError(
            f"{source}: expected finite weights, found NaN or infinity in {abbreviate(bad, arrays)}"
            "; choose weights of an earlier step, or get them again"
        )


def abbreviate(
    names: Sequence[str], known: Iterable[str], describe: Callable[[str], str] = _printable
) -> str:
    """Joins names, each as ``describe`` says, and shortens many to ``decoder.* (all 24), ...``."""
    if len(names) <= _NUM_LISTED:
        return ", ".join(map(describe, names))
    return ", ".join(_cover("", names, set(known).union(names), describe))


def _cover(
    prefix: str, names: Iterable[str], known: Iterable[str], describe: Callable[[str], str]
) -> list[str]:
    affected, every = _children(prefix, names), _children(prefix, known)
    texts: list[str] = []
    for child, members in affected.items():
        if len(members) == 1:
            texts.append(describe(members[0]))
        elif child and len(members) == len(every[child]):
            texts.append(f"{_printable(child)}* (all {len(members)})")
        else:
            texts += _cover(child, members, every[child], describe)
    return texts


def _children(prefix: str, names: Iterable[str]) -> dict[str, list[str]]:
    """Groups names by their beginning, one word longer than the prefix."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        word = re.match(r"[./]?[^./]*[./]?", name[len(prefix) :])
        groups[prefix + (word[0] if word else "")].append(name)
    return groups


_NUM_NAMED = 3
_PARTS_OF_KINDS = ("encoder", "elstt")  # parts of the network that are of one of several kinds
_SHORT = reprlib.Repr()
_SHORT.maxtuple = 3


def require_same_shapes(
    weights: str, stored: Experiment, asked: Experiment, file: Experiment | None = None
) -> None:
    """Raises unless weights fit ``asked``, which has a command's overrides; ``file`` has none."""
    if file is not None and not _have_same_shapes(stored, file):
        changes = _describe_fields(_reshaping_fields(stored, file, _NUM_NAMED + 1))
        raise ValueError(
            f"{weights} holds {stored.name!r}, --config names {file.name!r} ({changes}); "
            "drop --config or choose the checkpoint of it"
        )
    if not _have_same_shapes(stored, asked):
        fields = _reshaping_fields(stored, asked, None)
        raise ValueError(
            f"{weights}: expected options that keep the shapes of its weights, found "
            f"{_describe_fields(fields)}; drop {', '.join(f'--{name}' for name in fields)}"
        )


def _have_same_shapes(first: Experiment, second: Experiment) -> bool:
    return first == second or expected_shapes(first) == expected_shapes(second)


def _reshaping_fields(
    stored: Experiment, asked: Experiment, limit: int | None
) -> dict[str, tuple[Any, Any]]:
    before, after = fields_by_path(to_dict(stored)), fields_by_path(to_dict(asked))
    for part in _PARTS_OF_KINDS:
        if before[f"{part}.kind"] != after[f"{part}.kind"]:
            # The sizes of different encoders have nothing to do with each other.
            before, after = _without_sizes(part, before), _without_sizes(part, after)
    differing = {x: (before[x], after[x]) for x in before if before[x] != after[x]}
    # Each look traces a network, which takes up to a second.
    reshaping = (item for item in differing.items() if _reshapes(stored, item[0], item[1][1]))
    return dict(itertools.islice(reshaping, limit)) or differing


def _without_sizes(part: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {n: x for n, x in values.items() if n == f"{part}.kind" or not n.startswith(f"{part}.")}


def _reshapes(stored: Experiment, name: str, value: Any) -> bool:
    """Says whether one changed field gives other shapes, or no valid configuration by itself."""
    values = fields_by_path(to_dict(stored)) | {name: value}
    try:
        changed = from_dict(traverse_util.unflatten_dict(values, sep="."))
    except ValueError:
        return True
    return not _have_same_shapes(stored, changed)


def _describe_fields(fields: Mapping[str, tuple[Any, Any]]) -> str:
    parts = [
        f"{name}: {_SHORT.repr(before)} in the checkpoint, {_SHORT.repr(after)} asked for"
        for name, (before, after) in fields.items()
    ]
    return ", ".join(parts[:_NUM_NAMED]) + (" and more" if len(parts) > _NUM_NAMED else "")
