"""YouTube-VOS: every object over its listed frames, seen and unseen categories.

The labels of its validation and test sets are with the server; this scores sets that have labels,
by the definition of the challenge (Xu et al. 2018).
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from mavos_jax.data.benchmarks.benchmark import BenchmarkSequence
from mavos_jax.evaluation.scorers.rule import ScoringRule
from mavos_jax.evaluation.scorers.seen import (
    boundary_mean,
    describe_parts,
    mean_of,
    region_mean,
    split_by_seen,
)
from mavos_jax.evaluation.scorers.sequence import SequenceMasks, score_objects
from mavos_jax.evaluation.scores import ObjectResult


def score_youtube_vos(
    sequence: BenchmarkSequence, masks: SequenceMasks, rule: ScoringRule
) -> tuple[ObjectResult, ...]:
    """Scores every object over its listed frames after the first, whose mask is given.

    Args:
      sequence: which the masks belong to; ``spans`` are the objects and their listed frames.
      masks: of its frames.
      rule: by ``unseen`` a category is an unseen one or not; ``official_decay`` counts, too.

    Raises:
      ValueError: a predicted id is above all objects, or a category is asked for that is not known.
    """
    counted = {number: span[1:] for number, span in sorted(sequence.spans.items())}
    rows = score_objects(sequence, masks, counted, official_decay=rule.official_decay)
    if rule.unseen is None:
        return rows
    unknown = [row.id for row in rows if row.id not in sequence.categories]
    if unknown:
        raise ValueError(
            f"{sequence.name}: expected the categories of all objects, to tell the unseen ones, "
            f"found none for {', '.join(map(str, unknown))}; give a meta.json with categories, or "
            "no list of unseen ones"
        )
    return tuple(row._replace(is_unseen=sequence.categories[row.id] in rule.unseen) for row in rows)


def summarise_youtube_vos(
    objects: Sequence[ObjectResult],
    rule: ScoringRule,
) -> tuple[str, dict[str, float]]:
    """Averages over objects within seen and unseen categories, and then over the two.

    G = (J_seen + J_unseen + F_seen + F_unseen) / 4; without a list of unseen categories there is no
    G, but the mean J&F of J and F over all objects.

    Args:
      objects: at least one.
      rule: by which they were scored; the rows tell all that counts.

    Returns:
      The rule in words, and the summary.
    """
    parts = split_by_seen(objects)
    summary = {
        f"{letter}_{name}" if name else letter: mean_of(part, value)
        for letter, value in (("J", region_mean), ("F", boundary_mean))
        for name, part in (parts or {"": objects}).items()
    }
    return (
        "YouTube-VOS: listed frames of each object after its first; "
        f"{describe_parts(objects, 'categories')}",
        {"G" if parts else "J&F": statistics.fmean(summary.values()), **summary},
    )
