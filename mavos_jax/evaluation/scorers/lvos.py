"""LVOS: objects over their life spans, seen and unseen videos, and stability.

Source: the official evaluation of LVOS (Hong et al. 2023). The number of frames that the metadata
declare of an object decides, as there: makers of metadata may count the end of a life span, which
is none of its frames. That end is then the last frame, which today's tool drops. The tool of before
May 2024 makes room for as many values as are declared, and those beyond the life span stay 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

import numpy as np

from mavos_jax.data.benchmarks.benchmark import BenchmarkSequence
from mavos_jax.evaluation.metrics import ObjectScores, statistics
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

_DECIMALS = 4  # of the variance, before its root


def score_lvos(
    sequence: BenchmarkSequence, masks: SequenceMasks, rule: ScoringRule
) -> tuple[ObjectResult, ...]:
    """Scores every object over its life span.

    A frame in which the object is hidden and nothing is predicted scores 1. Predicted ids that no
    object has are background.

    Args:
      sequence: which the masks belong to; ``spans`` are the objects, of which ``declared_frames``
        may count more; zeros for these enter the statistics.
      masks: of its frames.
      rule: ``lvos`` says whether the first and the last frame of a span count; by ``unseen`` the
        video is an unseen one or not; ``official_decay`` counts, too.
    """
    dropped = 2 if rule.lvos == "2024-05" else 0
    declared = {
        number: max(len(span), sequence.declared_frames.get(number, 0))
        for number, span in sorted(sequence.spans.items())
    }
    counted = {
        number: [
            frame
            for position, frame in enumerate(sequence.spans[number])
            if not dropped or position not in (0, total - 1)
        ]
        for number, total in declared.items()
    }
    rows = score_objects(
        sequence, masks, counted, official_decay=rule.official_decay, knows_others=True
    )
    is_unseen = None if rule.unseen is None else sequence.name in rule.unseen
    return tuple(
        _summed_up(row, declared[row.id] - dropped, rule)._replace(is_unseen=is_unseen)
        for row in rows
    )


def _summed_up(row: ObjectResult, total: int, rule: ScoringRule) -> ObjectResult:
    """Computes an object's statistics over its values and zeros up to a number of them."""
    zeros = (0.0,) * (total - len(row.region))
    region, boundary = row.region + zeros, row.boundary + zeros
    scores = ObjectScores(
        statistics(region, official_decay=rule.official_decay),
        statistics(boundary, official_decay=rule.official_decay),
    )
    return row._replace(scores=scores, stability=stability(region, boundary))


def stability(region: Sequence[float], boundary: Sequence[float]) -> float:
    """Computes how much the quality of an object's masks varies over time; less is better.

    V = sqrt(mean_t (mean JF - JF_t)^2), with JF_t the mean of J and F at t, and the variance
    rounded to 4 decimals as by the official tool.

    Args:
      region: J of T frames.
      boundary: F of the same.

    Returns:
      V, in [0, 0.5].
    """
    both = (np.asarray(region) + np.asarray(boundary)) / 2
    return float(np.sqrt(np.round(np.mean((both.mean() - both) ** 2), _DECIMALS)))


def summarise_lvos(
    objects: Sequence[ObjectResult], rule: ScoringRule
) -> tuple[str, dict[str, float]]:
    """Averages over objects within the seen and the unseen videos, and then over the two.

    J&F = (J_s + F_s + J_u + F_u) / 4; without a list of unseen videos, the mean of J and F over all
    objects. V is the mean over all objects.

    Args:
      objects: at least one.
      rule: by which they were scored.

    Returns:
      The rule in words, and the summary.
    """
    parts = split_by_seen(objects)
    quality, variation = {}, {"V": mean_of(objects, _stability)}
    for name, part in (parts or {"": objects}).items():
        suffix = f"_{name[0]}" if name else ""
        quality[f"J{suffix}"] = mean_of(part, region_mean)
        quality[f"F{suffix}"] = mean_of(part, boundary_mean)
        variation[f"V{suffix}"] = mean_of(part, _stability)
    is_new = rule.lvos == "2024-05"
    dropped = (
        "first and last declared frame of each life span dropped"
        if is_new
        else "no frame dropped, declared ones beyond the life span score 0"
    )
    when = "since 2024-05" if is_new else "before 2024-05"
    return (
        f"LVOS, official tool {when}: {dropped}; {describe_parts(objects, 'videos')}",
        {"J&F": fmean(quality.values()), **quality, **variation},
    )


def _stability(row: ObjectResult) -> float:
    assert row.stability is not None  # score_lvos gives every row one
    return row.stability
