"""Periodic evaluation: held-out videos, segmented from their first masks and scored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import jax
import numpy as np
from jax.experimental import multihost_utils

from mavos_jax.data.videos import AnnotatedVideo, VideoSet
from mavos_jax.evaluation.masks import object_ids
from mavos_jax.evaluation.metrics import score_frame
from mavos_jax.inference.video import stream_masks
from mavos_jax.models.mavos import MAVOS, Variables


class Score(NamedTuple):
    """Means over objects of means over frames, in [0, 1].

    Attributes:
      region: J.
      boundary: F.
      num_objects: how many objects there were, over all processes.
    """

    region: float
    boundary: float
    num_objects: int

    @property
    def mean(self) -> float:
        """J&F."""
        return (self.region + self.boundary) / 2


def evaluate(
    model: MAVOS,
    variables: Variables,
    videos: VideoSet,
    num_videos: int = 0,
    is_stopping: Callable[[], bool] = lambda: False,
) -> Score | None:
    """Scores a network on videos that training does not see; processes share the work.

    Args:
      model: the network.
      variables: its variables, the same on every process.
      videos: the held-out set.
      num_videos: at most so many of the first; 0 for all.
      is_stopping: asked before every video of a process on its own whether to give up.

    Returns:
      The score, or None after giving up.

    Raises:
      ValueError: no video has an object to score.
    """
    count = min(num_videos or len(videos), len(videos))
    variables = jax.device_put(variables, jax.local_devices()[0])
    table: list[tuple[float, float]] = []
    for index in range(jax.process_index(), count, jax.process_count()):
        if is_stopping():
            return None
        table += score_video(model, variables, videos[index])
    total = np.array([*np.sum(table, axis=0), len(table)] if table else [0, 0, 0], np.float64)
    if jax.process_count() > 1:
        # As whole numbers, because JAX would gather doubles as floats.
        whole = multihost_utils.process_allgather(np.frombuffer(total.tobytes(), np.uint8))
        total = np.frombuffer(np.asarray(whole).tobytes(), np.float64).reshape(-1, 3).sum(axis=0)
    if not total[2]:
        raise ValueError(f"{videos.name}: expected held-out videos with objects, found none")
    region, boundary = total[:2] / total[2]
    return Score(float(region), float(boundary), int(total[2]))


def score_video(
    model: MAVOS, variables: Variables, video: AnnotatedVideo
) -> list[tuple[float, float]]:
    """Segments a video and returns J and F of each of its objects, averaged over frames.

    As in DAVIS 2017, the frame of an object's given mask and the last frame do not count. An object
    that appears later gets its first mask when it does.
    """
    masks = [video.mask(t) for t in range(len(video))]
    first = next((t for t, mask in enumerate(masks) if object_ids(mask)), len(masks))
    known: dict[int, int] = {}
    labels: dict[int, np.ndarray] = {}
    for t in range(first, len(masks)):
        new = [number for number in object_ids(masks[t]) if number not in known]
        known |= dict.fromkeys(new, t)
        if new and t > first:
            labels[t - first] = np.where(np.isin(masks[t], new), masks[t], 0).astype(np.uint8)
    values: dict[int, list[tuple[float, float]]] = {number: [] for number in known}
    if len(masks) - first < 3:
        return []
    predictions = stream_masks(
        model, variables, _frames(video, range(first, len(masks))), masks[first], labels=labels
    )
    for t, prediction in enumerate(predictions, start=first):
        if t == len(masks) - 1:
            continue
        ids = [number for number, appeared in known.items() if appeared < t]
        for number, *pair in zip(ids, *score_frame(masks[t], prediction, ids), strict=True):
            values[number].append((float(pair[0]), float(pair[1])))
    means = (np.mean(pairs, axis=0) for pairs in values.values() if pairs)
    return [(float(region), float(boundary)) for region, boundary in means]


def _frames(video: AnnotatedVideo, indices: Sequence[int]) -> Iterator[np.ndarray]:
    for t in indices:
        yield video[t].frame
