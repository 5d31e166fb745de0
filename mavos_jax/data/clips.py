"""Which frames of a video make a clip (paper 4.1 and the released code's training set)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mavos_jax.datasets import DamagedSample
from mavos_jax.media.ids import count_pixels
from mavos_jax.media.pictures import describe_size
from mavos_jax.media.samples import AnnotatedVideo, Sample

_REFERENCE_TRIES = 20
_CLIP_TRIES = 6


class Clip(NamedTuple):
    """Frames as they are stored; the first is the reference.

    Attributes:
      samples: T frames and masks. Those of a still image are T times the same.
      is_static: whether they come from one still image.
    """

    samples: tuple[Sample, ...]
    is_static: bool


def draw_clip(
    video: AnnotatedVideo,
    num_frames: int,
    max_gap: int,
    least_foreground: float,
    rng: np.random.Generator,
) -> Clip:
    """Chooses the frames of a clip and reads each of them once.

    Objects that the reference lacks may be left in later frames where six draws have not avoided
    them; :func:`~mavos_jax.media.ids.repack` drops them.

    Args:
      video: where they come from.
      num_frames: T, the reference included.
      max_gap: largest distance between two neighbours, in frames of the video.
      least_foreground: pixels that the reference's foreground should exceed, as stored.
      rng: the source of chance.

    Raises:
      DamagedSample: the frames differ in size, or one cannot be read.
    """
    indices = draw_indices(video, num_frames, max_gap, least_foreground, rng)
    read = {index: video[index] for index in dict.fromkeys(indices)}
    shapes = {sample.frame.shape[:2]: index for index, sample in read.items()}
    if len(shapes) > 1:
        found = " and ".join(f"{describe_size(size)} in frame {i}" for size, i in shapes.items())
        raise DamagedSample(f"{video.name}: expected frames of one size, found {found}")
    return Clip(tuple(read[index] for index in indices), is_static=False)


def repeat_image(video: AnnotatedVideo, num_frames: int) -> Clip:
    """The first frame of a video ``num_frames`` times, for clips from still images."""
    return Clip((video[0],) * num_frames, is_static=True)


def draw_indices(
    video: AnnotatedVideo,
    num_frames: int,
    max_gap: int,
    least_foreground: float,
    rng: np.random.Generator,
) -> list[int]:
    """Chooses the frames of a clip by their masks alone; see :func:`draw_clip`."""
    counts: dict[int, np.ndarray] = {}

    def count(index: int) -> np.ndarray:
        if index not in counts:
            counts[index] = count_pixels(video.mask(index))
        return counts[index]

    indices: list[int] = []
    for _ in range(_CLIP_TRIES):
        is_reversed = rng.random() < 0.5
        reference = 0
        for _ in range(_REFERENCE_TRIES):
            reference = int(rng.integers(len(video)))
            if count(reference).sum() > least_foreground:
                break
        gaps = rng.integers(1, max_gap + 1, num_frames - 1)
        indices = walk(reference, gaps, len(video), is_reversed=is_reversed)
        absent = count(reference) == 0
        if not any(count(index)[absent].any() for index in indices[1:]):
            break
    return indices


def walk(reference: int, gaps: np.ndarray, length: int, *, is_reversed: bool) -> list[int]:
    """The frames that steps of ``gaps`` reach from ``reference``, reflected at both ends.

    Steps that leave the video of ``length`` frames continue backwards from its first or last frame,
    so that neighbours are never further apart than their gap.
    """
    last = length - 1
    if last == 0:
        return [0] * (len(gaps) + 1)
    # A reflected walk is a straight one along 0, 1, ..., last, ..., 1, 0, 1, ...; walking back from
    # `reference` is walking on from its second place there.
    start = 2 * last - reference if is_reversed else reference
    places = start + np.concatenate(([0], np.cumsum(gaps)))
    return [int(index) for index in last - np.abs(places % (2 * last) - last)]
