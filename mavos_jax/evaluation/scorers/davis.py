"""DAVIS 2016 and 2017, semi-supervised: the first and the last frame do not count.

Source: the official evaluation of DAVIS 2017 (Pont-Tuset et al. 2017). It differs in one thing: the
decay beyond 256 frames is right unless ``official_decay`` asks for the official one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mavos_jax.config import IGNORED
from mavos_jax.data.benchmarks.benchmark import BenchmarkSequence
from mavos_jax.evaluation.metrics import ObjectScores, mean_scores
from mavos_jax.evaluation.scorers.rule import ScoringRule
from mavos_jax.evaluation.scorers.sequence import SequenceMasks, score_objects
from mavos_jax.evaluation.scores import ObjectResult


def score_davis2017(
    sequence: BenchmarkSequence, masks: SequenceMasks, rule: ScoringRule
) -> tuple[ObjectResult, ...]:
    """Scores the objects 1 to the highest id of the first true frame.

    An id that the first frame leaves out is an object all the same, one without pixels.

    Args:
      sequence: which the masks belong to; the frames with truth count, but the first and the last.
      masks: of its frames.
      rule: ``official_decay`` counts.

    Raises:
      ValueError: the first true frame has no object, or a predicted id is above them.
    """
    labelled = sorted(sequence.truth)
    first = masks.truth(labelled[0])
    highest = int(np.where(first == IGNORED, 0, first).max())
    if not highest:
        raise ValueError(
            f"{sequence.truth[labelled[0]]}: expected at least one object in the first true mask, "
            "found none"
        )
    counted = dict.fromkeys(range(1, highest + 1), labelled[1:-1])
    return score_objects(sequence, masks, counted, official_decay=rule.official_decay)


def score_davis2016(
    sequence: BenchmarkSequence, masks: SequenceMasks, rule: ScoringRule
) -> tuple[ObjectResult, ...]:
    """Scores the one object of binary masks; see :func:`score_davis2017`."""
    counted = {1: sorted(sequence.truth)[1:-1]}
    return score_objects(sequence, masks, counted, official_decay=rule.official_decay)


def summarise_davis(
    objects: Sequence[ObjectResult], rule: ScoringRule, *, words: str
) -> tuple[str, dict[str, float]]:
    """Averages over objects, those of all sequences alike, under the names of DAVIS 2017.

    Args:
      objects: at least one.
      rule: ``official_decay`` counts.
      words: for the set and the frames that count.

    Returns:
      The rule in words, and the summary.
    """
    mean = mean_scores(row.scores for row in objects)
    decay = "; decay with the official tool's error beyond 256 frames"
    return (
        f"{words}; means over objects" + (decay if rule.official_decay else ""),
        {"J&F-Mean": mean.mean, **_named(mean)},
    )


def _named(scores: ObjectScores) -> dict[str, float]:
    return {
        f"{letter}-{name.capitalize()}": value
        for letter, measure in zip("JF", scores, strict=True)
        for name, value in measure._asdict().items()
    }
