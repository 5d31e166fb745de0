"""Means over the objects that training has seen, and over those that it has not."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

from mavos_jax.datasets.dataset import Benchmark
from mavos_jax.datasets.listing import name_some
from mavos_jax.datasets.rule import ScoringRule
from mavos_jax.scores.scores import ObjectResult

PARTS = ("seen", "unseen")


def split_by_seen(objects: Sequence[ObjectResult]) -> dict[str, tuple[ObjectResult, ...]]:
    """Sorts objects into those of the parts that have any; none has where nothing tells."""
    parts = {
        name: tuple(row for row in objects if row.is_unseen is is_unseen)
        for name, is_unseen in zip(PARTS, (False, True), strict=True)
    }
    return {name: part for name, part in parts.items() if part}


def describe_unseen(benchmark: Benchmark, rule: ScoringRule) -> str:
    """Says how many names of the rule's list of unseen ones a set has.

    Raises:
      ValueError: it has none of them, so that the list belongs to another set.
    """
    names = _named_parts(benchmark)
    if rule.unseen is None or not names:
        return ""
    found = rule.unseen & names
    if not found:
        raise ValueError(
            f"{benchmark.name}: expected names of its list of unseen ones "
            f"({name_some(sorted(rule.unseen))}) in the set, found none among "
            f"{name_some(sorted(names))}; take the list of this set, or none"
        )
    return f"{len(found)} of {len(rule.unseen)} names of the list are in the set"


def _named_parts(benchmark: Benchmark) -> frozenset[str]:
    """What can be unseen: videos of LVOS, categories of YouTube-VOS."""
    if benchmark.dataset.startswith("lvos"):
        return frozenset(sequence.name for sequence in benchmark.sequences)
    if benchmark.dataset.startswith("youtube_vos"):
        return frozenset(name for s in benchmark.sequences for name in s.categories.values())
    return frozenset()


def mean_of(objects: Sequence[ObjectResult], value: Callable[[ObjectResult], float]) -> float:
    """Averages one value of at least one object."""
    return statistics.fmean(map(value, objects))


def region_mean(row: ObjectResult) -> float:
    """The object's mean J."""
    return row.scores.region.mean


def boundary_mean(row: ObjectResult) -> float:
    """The object's mean F."""
    return row.scores.boundary.mean


def describe_parts(objects: Sequence[ObjectResult], kind: str) -> str:
    """Words for how the headline comes about.

    Args:
      objects: all rows.
      kind: what can be unseen, in the plural.
    """
    parts = split_by_seen(objects)
    if not parts:
        return f"no list of unseen {kind} given: plain means over objects"
    missing = [name for name in PARTS if name not in parts]
    if missing:
        (there,) = parts
        return f"no {missing[0]} {kind}: the headline is the mean of J and F of the {there} alone"
    return f"the headline is the mean of J and F of seen and unseen {kind}"
