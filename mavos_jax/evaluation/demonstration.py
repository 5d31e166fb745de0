"""The generated clip that shows what weights do, and scores against a truth that is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mavos_jax.generated.video import SyntheticVideo
from mavos_jax.inference.video import stream_masks
from mavos_jax.models.mavos import MAVOS, Variables
from mavos_jax.scores.metrics import DavisScorer, ObjectScores, mean_scores

DEMONSTRATION = SyntheticVideo(seed=0, num_frames=24, height=192, width=192, num_objects=3)

Truth = Callable[[int], np.ndarray]
"""Gives the true ids of a frame, uint8 [H, W], by its index."""


class TruthScorer:
    """Scores masks as they come, by the rules of DAVIS 2017.

    Args:
      truth: of the clip; its objects are those of frame 0.
    """

    def __init__(self, truth: Truth) -> None:
        self._truth = truth
        self._highest = int(truth(0).max())
        self._scorer = DavisScorer()
        self._num_frames = 0

    def add(self, ids: np.ndarray) -> None:
        """Takes the mask of the next frame, uint8 ids [H, W]."""
        # DAVIS refuses ids that no object has. Objects in play that the clip lacks may get some
        # pixels, which are as wrong for the others as background is.
        known = np.where(ids > self._highest, 0, ids)
        self._scorer.add(self._truth(self._num_frames), known)
        self._num_frames += 1

    def scores(self) -> ObjectScores:
        """Returns the means over all objects.

        Raises:
          ValueError: there are fewer than 3 frames.
        """
        return mean_scores(self._scorer.scores().values())


def score_demonstration(model: MAVOS, variables: Variables) -> ObjectScores:
    """Segments the generated clip and scores the masks.

    Args:
      model: from ``load`` or ``build_model``.
      variables: the model's variables.
    """
    scorer = TruthScorer(DEMONSTRATION.mask)
    for ids in stream_masks(model, variables, DEMONSTRATION.frames, DEMONSTRATION.mask(0)):
        scorer.add(ids)
    return scorer.scores()


def in_percent(scores: ObjectScores) -> dict[str, float]:
    """Returns J, F and J&F by these names, in percent with one decimal as papers print them."""
    values = {"J": scores.region.mean, "F": scores.boundary.mean, "J&F": scores.mean}
    return {name: round(100 * value, 1) for name, value in values.items()}
