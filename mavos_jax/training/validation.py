"""Periodic evaluation: held-out videos, segmented from their first masks and scored."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import jax
import numpy as np

from mavos_jax.config import Experiment, to_dict
from mavos_jax.inference.video import stream_masks
from mavos_jax.media.ids import object_ids
from mavos_jax.media.samples import AnnotatedVideo, VideoSet
from mavos_jax.models.mavos import MAVOS, Variables
from mavos_jax.runtime.checksums import checksum
from mavos_jax.scores.metrics import score_frame
from mavos_jax.training.processes import add_up

MIN_FRAMES = 3


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
      is_stopping: asked before every video whether to give up.

    Returns:
      The score, or None after giving up; the same on every process.

    Raises:
      ValueError: no video has an object to score.
      Exception: a video could not be scored. Every process raises, that on which nothing failed a
        ValueError.
    """
    count = min(num_videos or len(videos), len(videos))
    variables = jax.device_put(variables, jax.local_devices()[0])
    table: list[tuple[float, float]] = []
    has_given_up, error = False, None
    try:
        for index in range(jax.process_index(), count, jax.process_count()):
            has_given_up = is_stopping()
            if has_given_up:
                break
            table += score_video(model, variables, videos[index])
    except Exception as failure:
        error = failure  # raised once the others know
    own = [*np.sum(table or [(0.0, 0.0)], axis=0), len(table), has_given_up, error is not None]
    region, boundary, num_objects, num_given_up, num_failed = add_up(np.array(own))
    if error is not None:
        raise error
    if num_failed:
        raise ValueError(
            f"{videos.name}: expected every process to score its videos, found that another could "
            "not; its message says why"
        )
    if num_given_up:
        return None
    if not num_objects:
        raise ValueError(f"{videos.name}: expected held-out videos with objects, found none")
    return Score(float(region / num_objects), float(boundary / num_objects), int(num_objects))


def require_scorable(videos: VideoSet) -> None:
    """Raises ValueError if a video has too few frames for a score."""
    found = (videos[index] for index in range(len(videos)))
    short = [video.name for video in found if len(video) < MIN_FRAMES]
    if short:
        raise ValueError(
            f"data.held_out: expected videos of at least {MIN_FRAMES} frames with masks, because "
            f"the first and the last do not count, found {len(short)} shorter: "
            f"{', '.join(short[:3])}"
        )


def conditions(config: Experiment, fingerprint: str) -> str:
    """Returns a checksum of what a score depends on beside the weights.

    Scores can be compared where it is the same.

    Args:
      config: the experiment.
      fingerprint: of the held-out set.
    """
    inference = to_dict(config.inference)
    del inference["chunk_frames"]  # changes no mask
    number = config.training.loop.evaluate_videos
    return checksum(json.dumps([fingerprint, number, inference], sort_keys=True))


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
    if len(masks) - first < MIN_FRAMES:
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
