"""Long-Time Video: one object, scored on the few frames that are labelled."""

from __future__ import annotations

from collections.abc import Sequence

from mavos_jax.data.benchmarks.benchmark import BenchmarkSequence
from mavos_jax.evaluation.scorers.davis import summarise_davis
from mavos_jax.evaluation.scorers.rule import ScoringRule
from mavos_jax.evaluation.scorers.sequence import SequenceMasks, score_objects
from mavos_jax.evaluation.scores import ObjectResult


def score_long_time_video(
    sequence: BenchmarkSequence, masks: SequenceMasks, rule: ScoringRule
) -> tuple[ObjectResult, ...]:
    """Scores the object of binary masks on the labelled frames, without the given first one.

    Args:
      sequence: which the masks belong to.
      masks: of its frames.
      rule: ``long_time_video`` says whether the last label counts (Liang et al. 2020, "AFB-URR") or
        not (Cheng and Schwing 2022, "XMem", and MAVOS); ``official_decay`` counts, too.

    Raises:
      ValueError: a predicted id is above 1.
    """
    labelled = sorted(sequence.truth)
    end = -1 if rule.long_time_video == "davis" else None
    return score_objects(sequence, masks, {1: labelled[1:end]}, official_decay=rule.official_decay)


def summarise_long_time_video(
    objects: Sequence[ObjectResult], rule: ScoringRule
) -> tuple[str, dict[str, float]]:
    """Averages as for DAVIS; see :func:`summarise_davis`."""
    is_davis = rule.long_time_video == "davis"
    dropped = "rule of DAVIS: first and last" if is_davis else "rule of AFB-URR: first"
    return summarise_davis(objects, rule, words=f"Long-Time Video, {dropped} label dropped")
