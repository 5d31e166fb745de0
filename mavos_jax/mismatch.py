"""What does not fit between named arrays and the network that should take them."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import re
import types
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

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
        return self._describe(", ".join)

    def summary(self) -> str:
        """Returns the description with long lists shortened to common prefixes and counts."""
        return self._describe(abbreviate)

    def _describe(self, join: Callable[[Sequence[str]], str]) -> str:
        wrong = [f"{name} ({problem})" for name, problem in self.mismatched.items()]
        parts = (("missing", self.missing), ("unexpected", self.unexpected), ("mismatched", wrong))
        return "; ".join(f"{len(names)} {kind}: {join(names)}" for kind, names in parts if names)


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


def abbreviate(names: Sequence[str]) -> str:
    """Joins names; where they are many, those of one part of the network become a pattern.

    For example ``decoder.* (22), encoder_projector.bias``.
    """
    if len(names) <= _NUM_LISTED:
        return ", ".join(names)
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        groups[_part(name)].append(name)
    return ", ".join(map(_pattern, groups.values()))


def _part(name: str) -> str:
    """Returns the part of the network that a name belongs to, past a variable collection."""
    words = re.split(r"[./ ]", name)
    return "/".join(words[:2]) if words[0] in ("params", "constants") else words[0]


def _pattern(group: Sequence[str]) -> str:
    """Returns the names' common beginning, in whole words, and how many they are."""
    if len(group) == 1:
        return group[0]
    words = zip(*(re.findall(r"[^./]+[./]?", name) for name in group), strict=False)
    common = itertools.takewhile(lambda same: len(set(same)) == 1, words)
    return f"{''.join(word[0] for word in common)}* ({len(group)})"
