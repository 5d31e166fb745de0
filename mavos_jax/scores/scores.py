"""What a scorer finds: values by frame, statistics by object, and the summary of a set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from mavos_jax.scores.metrics import ObjectScores


class ObjectResult(NamedTuple):
    """One object of one sequence.

    Attributes:
      scores: statistics over the frames that count.
      is_unseen: whether its video (LVOS) or category (YouTube-VOS) is none of training's; None
        where nothing tells.
      frames: the frames that count, as indices into the sequence's frames.
      region: J of each of them.
      boundary: F of each of them.
      is_visible: whether the truth shows it in each of them.
      extra: further scores by their names, such as V of LVOS.
    """

    sequence: str
    id: int
    scores: ObjectScores
    is_unseen: bool | None
    frames: tuple[int, ...]
    region: tuple[float, ...]
    boundary: tuple[float, ...]
    is_visible: tuple[bool, ...]
    extra: Mapping[str, float] = {}


class BenchmarkScores(NamedTuple):
    """The scores of a set.

    Attributes:
      rule: which scorer and which of its variants, in words.
      objects: in the order of sequences and ids.
      summary: the headline and what it is made of, by the official names, in [0, 1] or, for
        decay, [-1, 1]; the headline comes first.
    """

    rule: str
    objects: tuple[ObjectResult, ...]
    summary: Mapping[str, float]
