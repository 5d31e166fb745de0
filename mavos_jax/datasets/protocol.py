"""Scores the objects of a sequence, whatever the protocol, over the frames that count of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from mavos_jax.datasets.dataset import BenchmarkSequence
from mavos_jax.scores.metrics import ObjectScores, score_frame, statistics
from mavos_jax.scores.scores import ObjectResult


class SequenceMasks(NamedTuple):
    """The masks of a sequence, each read when it is asked for.

    Attributes:
      truth: gives the true ids of a frame by its index, integers [H, W] with 255 to ignore.
      prediction: likewise the predicted ids.
      origin: names the prediction of a frame in messages, for example by its file.
    """

    truth: Callable[[int], np.ndarray]
    prediction: Callable[[int], np.ndarray]
    origin: Callable[[int], str] = "prediction of frame {}".format


def score_objects(
    sequence: BenchmarkSequence,
    masks: SequenceMasks,
    counted: Mapping[int, Sequence[int]],
    *,
    official_decay: bool,
    knows_others: bool = False,
) -> tuple[ObjectResult, ...]:
    """Scores every object over its own frames.

    Args:
      sequence: which the masks belong to.
      masks: of its frames; only those that count are read.
      counted: the frames that count, ascending, by object. An object without any gets no row, but
        is known: its id is no error.
      official_decay: see :func:`mavos_jax.scores.metrics.statistics`.
      knows_others: whether ids above all objects are background rather than an error.

    Returns:
      The rows of the objects in the order of ``counted``, without stability and whether unseen.

    Raises:
      ValueError: a predicted id is above those of all objects, unless others are known.
    """
    at_frame: dict[int, list[int]] = {}
    for number, frames in counted.items():
        for frame in frames:
            at_frame.setdefault(frame, []).append(number)
    values: dict[int, list[tuple[int, float, float, bool]]] = {number: [] for number in counted}
    for frame in sorted(at_frame):
        ids = at_frame[frame]
        truth, prediction = masks.truth(frame), masks.prediction(frame)
        if not knows_others:
            _require_known_ids(sequence, masks.origin(frame), prediction, highest=max(counted))
        region, boundary = score_frame(truth, prediction, ids)
        is_visible = np.isin(ids, truth)
        for index, number in enumerate(ids):
            row = (frame, float(region[index]), float(boundary[index]), bool(is_visible[index]))
            values[number].append(row)
    rows = ((number, zip(*of_object, strict=True)) for number, of_object in values.items())
    return tuple(
        _object_result(sequence.name, number, columns, official_decay)
        for number, columns in rows
        if values[number]
    )


def _object_result(
    name: str, number: int, columns: Iterable[tuple], official_decay: bool
) -> ObjectResult:
    frames, region, boundary, is_visible = columns
    scores = ObjectScores(
        statistics(region, official_decay=official_decay),
        statistics(boundary, official_decay=official_decay),
    )
    return ObjectResult(name, number, scores, None, None, frames, region, boundary, is_visible)


def _require_known_ids(
    sequence: BenchmarkSequence, origin: str, prediction: np.ndarray, highest: int
) -> None:
    found = int(prediction.max())
    if found > highest:
        raise ValueError(
            f"{origin}: expected object ids up to {highest}, the highest in {sequence.name}, found "
            f"{found}; number the objects as in the given masks, with 0 for the background"
        )
