"""Several videos at once, for throughput."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from mavos_jax.inference.arguments import check_network, check_sequence, checked_gap
from mavos_jax.inference.dispatch import Options, run
from mavos_jax.inference.source import Video
from mavos_jax.models.mavos import MAVOS, Variables


def stream_batch(
    model: MAVOS,
    variables: Variables,
    videos: Sequence[Iterable[np.ndarray]],
    masks: Sequence[np.ndarray] | np.ndarray,
    *,
    num_objects: Sequence[int] | None = None,
    gap: int | None = None,
    chunk_frames: int | None = None,
) -> Iterator[tuple[np.ndarray | None, ...]]:
    """Segments several videos in step, for throughput: :func:`~.video.stream_masks` of each.

    Every video gets the masks that it gets alone, up to rounding. The objects are those of the
    first masks. The batch computes until its longest video ends, so group videos of similar length.
    When the frames of a video raise, all other videos are finished first.

    ``videos`` are RGB frames, uint8 [H, W, 3], all of one size; ``masks`` and ``num_objects`` are
    those of each video, otherwise as in ``segment_video``.

    Yields:
      For every frame of the longest video the mask of each, uint8 [H, W], None where it has ended.

    Raises:
      ValueError: an argument is not as described; ``videos[i]`` names the video.
    """
    check_network(model, variables)
    check_sequence("videos", videos, "a list of videos")
    count = len(videos)
    if count == 0:
        raise ValueError("videos: expected at least one video, found none")
    check_sequence("masks", masks, f"{count}, one for each video", count)
    if num_objects is not None:
        check_sequence("num_objects", num_objects, f"{count}, one for each video", count)
    options = Options(
        gap=checked_gap(model, gap),
        chunk_frames=chunk_frames or model.config.inference.chunk_frames,
    )
    batch = [
        Video(
            frames,
            masks[number],
            num_objects=None if num_objects is None else num_objects[number],
            number=number,
        )
        for number, frames in enumerate(videos)
    ]
    for results in run(model, variables, batch, options):
        yield tuple(None if result is None else result[0] for result in results)


def segment_batch(
    model: MAVOS,
    variables: Variables,
    videos: Sequence[Iterable[np.ndarray]],
    masks: Sequence[np.ndarray] | np.ndarray,
    *,
    num_objects: Sequence[int] | None = None,
    gap: int | None = None,
) -> list[np.ndarray]:
    """Segments several videos in step; :func:`stream_batch`, whose arguments these are, to the end.

    Returns:
      The masks of each video, uint8 [T, H, W] with its own T.
    """
    steps = list(stream_batch(model, variables, videos, masks, num_objects=num_objects, gap=gap))
    return [
        np.stack([mask for mask in video if mask is not None]) for video in zip(*steps, strict=True)
    ]
