"""J and F of the objects of a frame, the statistics of an object, and the scores of a set.

Source: the official evaluation of DAVIS 2017, semi-supervised (Pont-Tuset et al. 2017). Which
objects and frames count is a matter of the data set's protocol.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from mavos_jax.scores.boundary import boundary_measure

_RECALL_THRESHOLD = 0.5
_DECAY_BINS = 4

FrameScorer = Callable[[np.ndarray, np.ndarray, Sequence[int]], tuple[np.ndarray, np.ndarray]]
"""Gives J and F of several objects of a frame, as :func:`score_frame` does."""


class Statistics(NamedTuple):
    """An object's mean, share above 0.5, and first quarter's mean minus the last's."""

    mean: float
    recall: float
    decay: float


class ObjectScores(NamedTuple):
    """Statistics of the region similarity J and the boundary measure F of an object, or means."""

    region: Statistics
    boundary: Statistics

    @property
    def mean(self) -> float:
        """The mean of J and F, "J&F"."""
        return (self.region.mean + self.boundary.mean) / 2


def region_similarity(truth: np.ndarray, prediction: np.ndarray, *, added: int = 0) -> float:
    """Computes the intersection over union of two masks.

    J = |truth and prediction| / |truth or prediction| (Perazzi et al. 2016, section 4), and 1 if
    both are empty. Masks are bool [H, W]; MOSEv2 has one pixel ``added`` to both counts.
    """
    union = np.count_nonzero(truth | prediction)
    return (np.count_nonzero(truth & prediction) + added) / (union + added) if union else 1.0


def score_frame(
    truth: np.ndarray,
    prediction: np.ndarray,
    ids: Sequence[int],
    tolerance: Callable[[np.ndarray], int | float] | None = None,
    *,
    added: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Scores n objects of one frame, each against all other pixels: J and F, float64 [n] in [0, 1].

    Truth and prediction are integer ids [H, W]; ids not asked for, such as 255, are background, and
    an object may be missing. ``tolerance`` gives that of F, in pixels, for an object's true mask.
    """
    region, boundary = np.zeros(len(ids)), np.zeros(len(ids))
    for index, number in enumerate(ids):
        masks = truth == number, prediction == number
        region[index] = region_similarity(*masks, added=added)
        boundary[index] = boundary_measure(*masks, tolerance and tolerance(masks[0]))
    return region, boundary


def statistics(values: Sequence[float] | np.ndarray, *, official_decay: bool = False) -> Statistics:
    """Reduces one object's J or F to mean, recall and decay; bins of frames share end points.

    ``official_decay`` keeps an error of the official evaluation, which holds the bins' ends in 8
    bits: beyond 256 frames it takes other frames, or none, which gives NaN.
    """
    values = np.asarray(values, np.float64)
    # The official rounding: halves go up, where they would go to the even number.
    ends = np.round(np.linspace(1, len(values), _DECAY_BINS + 1) + 1e-10).astype(int) - 1
    if official_decay:
        ends %= 256
    first, last = values[ends[0] : ends[1] + 1], values[ends[-2] : ends[-1] + 1]
    return Statistics(
        mean=float(values.mean()),
        recall=float((values > _RECALL_THRESHOLD).mean()),
        decay=float(first.mean() - last.mean()) if first.size and last.size else float("nan"),
    )


def mean_scores(scores: Iterable[ObjectScores]) -> ObjectScores:
    """Averages over the objects of all sequences; its ``mean`` is then the set's J&F."""
    table = np.array(list(scores), np.float64)  # [objects, (J, F), (mean, recall, decay)]
    return ObjectScores(*(Statistics(*row) for row in table.mean(axis=0).tolist()))


class ObjectResult(NamedTuple):
    """One object of one sequence."""

    sequence: str
    id: int
    scores: ObjectScores  # statistics over the frames that count
    is_unseen: bool | None  # whether training lacked its video or category, if that is known
    frames: tuple[int, ...]  # the frames that count, as indices into the sequence's frames
    region: tuple[float, ...]  # J of each of them
    boundary: tuple[float, ...]  # F of each of them
    is_visible: tuple[bool, ...]  # whether the truth shows it in each of them
    extra: Mapping[str, float] = {}  # further scores by their names, such as V of LVOS


class BenchmarkScores(NamedTuple):
    """The scores of a set."""

    protocol: str  # which scorer and which of its variants, in words
    objects: tuple[ObjectResult, ...]  # in the order of sequences and ids
    summary: Mapping[str, float]  # by the official names, the headline first
