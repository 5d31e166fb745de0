"""MOSE and folders with labels: the rule of DAVIS, with objects that may appear late."""

from __future__ import annotations

from collections.abc import Sequence

from mavos_jax.data.benchmarks.benchmark import BenchmarkSequence
from mavos_jax.evaluation.scorers.davis import summarise_davis
from mavos_jax.evaluation.scorers.rule import ScoringRule
from mavos_jax.evaluation.scorers.sequence import SequenceMasks, score_objects
from mavos_jax.evaluation.scores import ObjectResult
from mavos_jax.media.masks import object_ids


def score_mose(
    sequence: BenchmarkSequence, masks: SequenceMasks, rule: ScoringRule
) -> tuple[ObjectResult, ...]:
    """Scores the objects of the given masks, each after the frame of its first.

    Ids need not be without holes. Of the frames with truth, the first and the last do not count.

    Args:
      sequence: which the masks belong to.
      masks: of its frames.
      rule: ``official_decay`` counts.

    Raises:
      ValueError: a predicted id is above all objects.
    """
    inner = sorted(sequence.truth)[1:-1]
    starts: dict[int, int] = {}
    for frame, given in sorted(sequence.given.items()):
        ids = object_ids(masks.truth(frame)) if given.ids is None else given.ids
        for number in ids:
            starts.setdefault(number, frame)
    counted = {
        number: [frame for frame in inner if frame > start]
        for number, start in sorted(starts.items())
    }
    return score_objects(sequence, masks, counted, official_decay=rule.official_decay)


def summarise_mose(
    objects: Sequence[ObjectResult], rule: ScoringRule
) -> tuple[str, dict[str, float]]:
    """Averages as for DAVIS; see :func:`summarise_davis`."""
    words = (
        "as DAVIS 2017: first and last labelled frame dropped, objects that appear later count "
        "after their first mask"
    )
    return summarise_davis(objects, rule, words=words)
