"""Periodic evaluation: held-out videos, segmented from their first masks and scored."""

import json
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from mavos_jax.config import Experiment, to_dict
from mavos_jax.datasets import open_source
from mavos_jax.datasets.protocol import ScoringOptions, SequenceMasks, score_objects
from mavos_jax.inference.video import stream_masks
from mavos_jax.media.ids import object_ids
from mavos_jax.media.samples import AnnotatedVideo, VideoSet
from mavos_jax.models.mavos import MAVOS, Variables
from mavos_jax.runtime.files import checksum
from mavos_jax.training.processes import print_once, sum_over_processes
from mavos_jax.training.resume import split_fingerprints

MIN_FRAMES = 3


class Score(NamedTuple):
    """J and F in [0, 1]: means over the objects of all processes of means over frames."""

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

    Only the first ``num_videos`` count, if it is not 0. Once ``is_stopping``, asked before every
    video, the result is None. It is the same on every process, and where one fails, all raise.
    """
    count = min(num_videos or len(videos), len(videos))
    table: list[tuple[float, float]] = []
    has_given_up, error = False, None
    try:
        variables = jax.device_put(variables, jax.local_devices()[0])
        for index in range(jax.process_index(), count, jax.process_count()):
            if has_given_up := is_stopping():
                break
            table += score_video(model, variables, videos[index])
    except Exception as failure:
        error = failure  # raised once the others know
    own = [*np.sum(table or [(0.0, 0.0)], axis=0), len(table), has_given_up, error is not None]
    region, boundary, num_objects, num_given_up, num_failed = sum_over_processes(np.array(own))
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


def open_held_out(config: Experiment, size: tuple[int, int], data: str) -> VideoSet:
    """Opens what periodic evaluation segments; warns if ``data``, fingerprints, has it as well."""
    videos = open_source(config.data.held_out, size)
    found = (videos[index] for index in range(len(videos)))
    if short := [video.name for video in found if len(video) < MIN_FRAMES]:
        raise ValueError(
            f"data.held_out: expected videos of at least {MIN_FRAMES} frames with masks, because "
            f"the first and the last do not count, found {len(short)} shorter: "
            f"{', '.join(short[:3])}"
        )
    for index in range(min(config.training.loop.evaluate_videos or len(videos), len(videos))):
        videos[index].mask(0)  # one that cannot be used is told now, not after thousands of steps
    if videos.fingerprint() in split_fingerprints(data):
        print_once(
            f"data.held_out: {videos.name} is trained on, too: its scores say nothing about other "
            "videos"
        )
    return videos


def conditions(config: Experiment, fingerprint: str) -> str:
    """Returns a checksum of what a score depends on beside the weights."""
    inference = to_dict(config.inference)
    del inference["chunk_frames"]  # changes no mask
    number = config.training.loop.evaluate_videos
    return checksum(json.dumps([fingerprint, number, inference], sort_keys=True))


def score_video(
    model: MAVOS, variables: Variables, video: AnnotatedVideo
) -> list[tuple[float, float]]:
    """Segments a video; returns J and F of each object over the frames that count for DAVIS."""
    masks = [video.mask(t) for t in range(len(video))]
    first = next((t for t, mask in enumerate(masks) if object_ids(mask)), len(masks))
    if len(masks) - first < MIN_FRAMES:
        return []
    appeared: dict[int, int] = {}
    labels: dict[int, np.ndarray] = {}
    for t in range(first, len(masks)):
        new = [number for number in object_ids(masks[t]) if number not in appeared]
        appeared |= dict.fromkeys(new, t)
        if new and t > first:
            labels[t - first] = np.where(np.isin(masks[t], new), masks[t], 0).astype(np.uint8)
    frames = (video[t].frame for t in range(first, len(masks)))
    found = enumerate(stream_masks(model, variables, frames, masks[first], labels=labels), first)

    def prediction(t: int) -> np.ndarray:
        return next(mask for at, mask in found if at == t)  # they are asked for in their order

    counted = {number: range(t + 1, len(masks) - 1) for number, t in appeared.items()}
    streamed = SequenceMasks(masks.__getitem__, prediction)
    rows = score_objects(video.name, streamed, counted, ScoringOptions(), knows_others=True)
    return [(row.scores.region.mean, row.scores.boundary.mean) for row in rows]
