"""Scores of masks, in three layers: frames, one object's values over time, whole clips.

- :func:`score_frame` gives J and F of all objects of one frame, whatever the protocol.
- :func:`statistics` reduces one object's values to mean, recall and decay.
- :class:`DavisScorer` and :func:`score_davis` decide which frames and objects count, by the rules
  of DAVIS 2017; another protocol is another choice over the first two.

Source: the official evaluation of DAVIS 2017, semi-supervised (Pont-Tuset et al. 2017).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from mavos_jax.config import IGNORED
from mavos_jax.scores.boundary import boundary_measure, require_masks, require_one_size

_RECALL_THRESHOLD = 0.5
_DECAY_BINS = 4


FrameScorer = Callable[[np.ndarray, np.ndarray, Sequence[int]], tuple[np.ndarray, np.ndarray]]
"""Gives J and F of several objects of a frame, as :func:`score_frame` does."""


class Statistics(NamedTuple):
    """What is reported of one object's values over time, or a mean of such.

    Attributes:
      mean: the mean over frames.
      recall: the share of frames above 0.5.
      decay: the mean of the first quarter minus that of the last; positive if masks get worse.
    """

    mean: float
    recall: float
    decay: float


class ObjectScores(NamedTuple):
    """The scores of one object, or the means over objects.

    Attributes:
      region: statistics of the region similarity J.
      boundary: statistics of the boundary measure F.
    """

    region: Statistics
    boundary: Statistics

    @property
    def mean(self) -> float:
        """The mean of J and F, "J&F"."""
        return (self.region.mean + self.boundary.mean) / 2


def region_similarity(truth: np.ndarray, prediction: np.ndarray) -> float:
    """Computes the intersection over union of two masks.

    J = |truth and prediction| / |truth or prediction| (Perazzi et al. 2016, section 4), and 1 if
    both are empty.

    Args:
      truth: bool [H, W].
      prediction: bool [H, W].

    Returns:
      J, in [0, 1].

    Raises:
      ValueError: the masks are no binary ones of one size.
    """
    require_masks(truth, prediction)
    union = np.count_nonzero(truth | prediction)
    return np.count_nonzero(truth & prediction) / union if union else 1.0


def score_frame(
    truth: np.ndarray, prediction: np.ndarray, ids: Sequence[int], tolerance: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Scores several objects of one frame, each against all other pixels.

    Args:
      truth: object ids, integers [H, W]; those not asked for, such as 255, count as background.
      prediction: likewise.
      ids: the n objects to score; one that a label map lacks is an empty mask there.
      tolerance: see :func:`mavos_jax.scores.boundary.boundary_measure`.

    Returns:
      J and F, each float64 [n] in [0, 1].

    Raises:
      ValueError: the label maps are no integers of one size.
    """
    _require_label_maps(truth, prediction, axes="HW")
    region, boundary = np.zeros(len(ids)), np.zeros(len(ids))
    for index, number in enumerate(ids):
        masks = truth == number, prediction == number
        region[index] = region_similarity(*masks)
        boundary[index] = boundary_measure(*masks, tolerance)
    return region, boundary


def statistics(values: Sequence[float] | np.ndarray, *, official_decay: bool = False) -> Statistics:
    """Reduces the values of one object to their mean, recall and decay.

    For the decay the frames are cut into 4 bins that share their end points.

    Args:
      values: J or F of the frames that count, in their order, [T] with T of at least 1.
      official_decay: whether to keep an error of the official evaluation, which holds the ends of
        the bins in 8 bits: beyond 256 frames it takes other frames, or none, which gives NaN.

    Raises:
      ValueError: there are no values, or more than one axis of them.
    """
    values = np.asarray(values, np.float64)
    if values.ndim != 1 or not values.size:
        raise ValueError(f"expected values of at least one frame, [T], got {list(values.shape)}")
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
    """Averages over objects, those of all sequences alike; its ``mean`` is then the set's J&F.

    Raises:
      ValueError: there are no objects.
    """
    table = np.array(list(scores), np.float64)  # [objects, (J, F), (mean, recall, decay)]
    if not table.size:
        raise ValueError("expected scores of at least one object, got none")
    return ObjectScores(*(Statistics(*row) for row in table.mean(axis=0).tolist()))


class DavisScorer:
    """Scores a clip by the rules of DAVIS 2017, from frames given one by one.

    The objects are 1 to the highest id of the first true frame. The first and the last frame do not
    count. Ids of the truth beyond the objects, and 255, are background. Only numbers are kept of
    the frames, and the latest frame itself, which counts once another follows.

    Args:
      official_decay: see :func:`statistics`.
    """

    def __init__(self, *, official_decay: bool = False) -> None:
        self._official_decay = official_decay
        self._num_frames = 0
        self._size: tuple[int, ...] = ()
        self._ids = range(0)
        self._latest: tuple[np.ndarray, np.ndarray] | None = None
        self._values: list[tuple[np.ndarray, np.ndarray]] = []

    def add(self, truth: np.ndarray, prediction: np.ndarray) -> None:
        """Takes the next frame; its arrays may be reused afterwards.

        Args:
          truth: object ids, integers [H, W], with 255 for pixels to ignore.
          prediction: object ids, integers [H, W].

        Raises:
          ValueError: the label maps are no integers of one size, that of the first frame; the first
            frame has no object; or the previous frame has predicted ids beyond the objects.
        """
        _require_label_maps(truth, prediction, axes="HW")
        if not self._num_frames:
            highest = int(np.where(truth == IGNORED, 0, truth).max())
            if highest < 1:
                raise ValueError(
                    "expected at least one object in the first frame's truth, got none"
                )
            self._ids, self._size = range(1, highest + 1), truth.shape
        if truth.shape != self._size:
            raise ValueError(
                f"expected frames of size {list(self._size)}, got {list(truth.shape)} in frame "
                f"{self._num_frames}"
            )
        if self._latest is not None:
            self._values.append(self._score(*self._latest))
        if self._num_frames:
            self._latest = truth.copy(), prediction.copy()
        self._num_frames += 1

    def scores(self) -> dict[int, ObjectScores]:
        """Returns the scores of every object, by its id, as if the latest frame were the last.

        Raises:
          ValueError: there are fewer than 3 frames.
        """
        if not self._values:
            raise ValueError(
                "expected at least 3 frames, of which the first and the last do not count, got "
                f"{self._num_frames}"
            )
        by_object = np.array(self._values).transpose(2, 1, 0)  # [objects, (J, F), T]
        reduce = functools.partial(statistics, official_decay=self._official_decay)
        return {
            number: ObjectScores(*map(reduce, pair))
            for number, pair in zip(self._ids, by_object, strict=True)
        }

    def _score(self, truth: np.ndarray, prediction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        highest = int(prediction.max())
        if highest > len(self._ids):
            raise ValueError(
                f"expected predicted ids up to {len(self._ids)}, the highest in the first frame's "
                f"truth, got {highest} in frame {self._num_frames - 1}"
            )
        return score_frame(truth, prediction, self._ids)


def score_davis(
    truth: np.ndarray, prediction: np.ndarray, *, official_decay: bool = False
) -> dict[int, ObjectScores]:
    """Scores a whole clip by the rules of DAVIS 2017; see :class:`DavisScorer`.

    Args:
      truth: object ids, integers [T, H, W], with 255 for pixels to ignore.
      prediction: object ids, integers [T, H, W].
      official_decay: see :func:`statistics`.

    Raises:
      ValueError: see :class:`DavisScorer`.
    """
    _require_label_maps(truth, prediction, axes="THW")
    scorer = DavisScorer(official_decay=official_decay)
    for true_ids, predicted_ids in zip(truth, prediction, strict=True):
        scorer.add(true_ids, predicted_ids)
    return scorer.scores()


def _require_label_maps(truth: np.ndarray, prediction: np.ndarray, axes: str) -> None:
    for name, ids in (("truth", truth), ("prediction", prediction)):
        if not np.issubdtype(ids.dtype, np.integer) or ids.ndim != len(axes) or not ids.size:
            raise ValueError(
                f"expected {name} to be integers [{', '.join(axes)}], got {ids.dtype} "
                f"{list(ids.shape)}"
            )
    require_one_size(truth, prediction)
