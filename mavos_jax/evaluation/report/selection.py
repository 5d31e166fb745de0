"""Which frames a report shows, so that its size is bounded."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import numpy as np

from mavos_jax.scores.scores import ObjectResult


def share_budget(counts: Sequence[int], budget: int) -> list[int]:
    """Shares a number of pictures among sequences as evenly as their lengths allow.

    Args:
      counts: frames that each sequence has.
      budget: pictures in total.

    Returns:
      A number for each sequence, at most its count; shares of those that could take more differ by
      one at most.
    """
    shares = [0] * len(counts)
    for position, index in enumerate(sorted(range(len(counts)), key=lambda i: counts[i])):
        shares[index] = min(counts[index], budget // (len(counts) - position))
        budget -= shares[index]
    return shares


def choose_frames(
    frames: Sequence[int],
    results: Sequence[ObjectResult],
    labelled: Collection[int],
    number: int,
) -> tuple[int, ...]:
    """Chooses the frames of a sequence to be shown.

    Up to half of them are telling ones: the worst frame, those where objects vanish or return, the
    worst frame of each object, and those with truth where few have it. The others are spread evenly
    over what remains.

    Args:
      frames: what there is to choose from, ascending.
      results: the scores of the objects, if any.
      labelled: frames with truth.
      number: how many to choose.

    Returns:
      Frames, ascending.
    """
    if number >= len(frames):
        return tuple(frames)
    there = set(frames)
    quota = (number + 1) // 2
    lowest = worst_frame(results)
    worst = [t for t in (*(lowest or ())[:1], *_worst_frames(results)) if t in there]
    events = sorted({t for result in results for t in changes(result)} & there)
    rare = sorted(there & set(labelled)) if 2 * len(there & set(labelled)) < len(there) else []
    chosen: dict[int, None] = {}
    for group in (worst[:1], events, worst[1:], rare):
        fresh = [t for t in group if t not in chosen]
        chosen.update(dict.fromkeys(_spread(fresh, min(quota - len(chosen), len(fresh)))))
    rest = [t for t in frames if t not in chosen]
    return tuple(sorted((*chosen, *_spread(rest, number - len(chosen)))))


def worst_frame(results: Sequence[ObjectResult]) -> tuple[int, float] | None:
    """Finds the frame in which J and F are lowest on average over its objects, and that average.

    Returns:
      An index into the sequence's frames and a mean in [0, 1]; None if no frame has a score.
    """
    means: dict[int, list[float]] = {}
    for result in results:
        for t, *values in zip(result.frames, result.region, result.boundary, strict=True):
            if not math.isnan(sum(values)):
                means.setdefault(t, []).append(sum(values) / 2)
    averages = ((t, float(np.mean(values))) for t, values in means.items())
    return min(averages, key=lambda average: average[1], default=None)


def changes(result: ObjectResult) -> dict[int, bool]:
    """The frames in which an object is seen otherwise than in the one before: whether it returns.

    Only frames that count are compared.
    """
    seen = result.is_visible
    return {t: seen[i] for i, t in enumerate(result.frames) if i and seen[i] != seen[i - 1]}


def _worst_frames(results: Sequence[ObjectResult]) -> list[int]:
    """The frame of each object in which J + F is lowest, the worst first."""
    lowest = []
    for result in results:
        if result.frames:
            sums = np.add(result.region, result.boundary)
            lowest.append((float(sums.min()), result.frames[int(sums.argmin())]))
    return list(dict.fromkeys(t for _, t in sorted(lowest)))


def _spread(values: Sequence[int], number: int) -> list[int]:
    """Picks some values at even distances, the first and the last among them."""
    if number <= 0:
        return []
    return [values[i] for i in np.linspace(0, len(values) - 1, number).round().astype(int)]
