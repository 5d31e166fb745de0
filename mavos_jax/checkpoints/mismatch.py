"""What does not fit between named arrays and the network that should take them."""

from __future__ import annotations

import dataclasses
import functools
import re
import types
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from mavos_jax.config import Experiment
from mavos_jax.models.mavos import parameter_shapes

Shapes = Mapping[str, tuple[int, ...]]

_NUM_LISTED = 12


@dataclasses.dataclass(frozen=True)
class Problems:
    """Everything that does not fit, by name.

    Attributes:
      missing: names that the network needs and the arrays lack.
      unexpected: names that the network does not know.
      mismatched: for names that fit, what is wrong with the array.
    """

    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    mismatched: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.missing or self.unexpected or self.mismatched)

    def __str__(self) -> str:
        return self._describe(lambda names, _: ", ".join(map(self._with_problem, names)))

    def summary(self, expected: Iterable[str], found: Iterable[str]) -> str:
        """Returns the description with long lists shortened where whole parts are affected.

        Args:
          expected: all names that the network needs.
          found: all names of the arrays.
        """
        known = {"missing": tuple(expected), "unexpected": tuple(found)}
        known["mismatched"] = known["missing"]
        return self._describe(
            lambda names, kind: abbreviate(names, known[kind], self._with_problem)
        )

    def _describe(self, join: Callable[[Sequence[str], str], str]) -> str:
        parts = {
            "missing": self.missing,
            "unexpected": self.unexpected,
            "mismatched": tuple(self.mismatched),
        }
        return "; ".join(
            f"{len(names)} {kind}: {join(names, kind)}" for kind, names in parts.items() if names
        )

    def _with_problem(self, name: str) -> str:
        shown = _printable(name)
        return f"{shown} ({self.mismatched[name]})" if name in self.mismatched else shown


def _printable(name: str) -> str:
    return name if name.isprintable() else repr(name)


class WeightsMismatch(ValueError):  # noqa: N818 - the name says what is wrong
    """Named arrays do not fit a network; the message lists every name.

    Attributes:
      problems: the same, to be read by programs.
    """

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        super().__init__(f"expected arrays that fit the configuration, found {problems}")


@functools.cache
def expected_shapes(config: Experiment) -> Shapes:
    """Returns the shape of every variable by its path; traces a network only once."""
    return types.MappingProxyType(parameter_shapes(config))


def compare_shapes(expected: Shapes, found: Shapes) -> Problems:
    """Compares the names and shapes that a network needs with those that were found."""
    return Problems(
        missing=tuple(name for name in expected if name not in found),
        unexpected=tuple(name for name in found if name not in expected),
        mismatched={
            name: f"expected shape {shape}, found {found[name]}"
            for name, shape in expected.items()
            if name in found and found[name] != shape
        },
    )


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
    """Joins names; where they are many, parts of the network that are all there become a pattern.

    For example ``decoder.* (all 24), encoder_projector.bias``. A pattern stands only for a prefix
    under which every known name is among ``names``, so nothing is hidden by it.

    Args:
      names: the names to join.
      known: all names of which these are some.
      describe: gives the text for a name that stands alone.
    """
    if len(names) <= _NUM_LISTED:
        return ", ".join(map(describe, names))
    return ", ".join(_cover("", names, set(known).union(names), describe))


def _cover(
    prefix: str, names: Iterable[str], known: Iterable[str], describe: Callable[[str], str]
) -> list[str]:
    """Returns texts for the names under a prefix: a pattern for each part that is all there."""
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
