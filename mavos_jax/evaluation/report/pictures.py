"""The pictures of a report: which frames it shows, and how small files of them are made."""

import base64
import io
import math
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from mavos_jax.config import IGNORED
from mavos_jax.datasets.dataset import Benchmark
from mavos_jax.datasets.sequences import SequenceFiles
from mavos_jax.evaluation.reading import mask_path, read_frame, read_result, read_truth
from mavos_jax.media.ids import object_ids
from mavos_jax.scores.metrics import ObjectResult

_JPEG_QUALITY = 80


def share_budget(counts: Sequence[int], budget: int) -> list[int]:
    """Shares a number of pictures among sequences as evenly as their lengths allow."""
    shares = [0] * len(counts)
    for position, index in enumerate(sorted(range(len(counts)), key=lambda i: counts[i])):
        shares[index] = min(counts[index], budget // (len(counts) - position))
        budget -= shares[index]
    return shares


def choose_frames(
    frames: Sequence[int], results: Sequence[ObjectResult], labelled: Collection[int], number: int
) -> tuple[int, ...]:
    """Chooses the frames of a sequence to show, ascending.

    Up to half of them are telling: the worst frame, those where objects vanish or return, the worst
    of each object, and the ``labelled`` ones if few are. The others are spread over the rest.
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
    """Finds the frame in which J and F are lowest on average over its objects, and that average."""
    means: dict[int, list[float]] = {}
    for result in results:
        for t, *values in zip(result.frames, result.region, result.boundary, strict=True):
            if not math.isnan(sum(values)):
                means.setdefault(t, []).append(sum(values) / 2)
    averages = ((t, float(np.mean(values))) for t, values in means.items())
    return min(averages, key=lambda average: average[1], default=None)


def changes(result: ObjectResult) -> dict[int, bool]:
    """The counted frames at which an object vanishes or returns, and whether it returns."""
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
    if number <= 0:
        return []
    return [values[i] for i in np.linspace(0, len(values) - 1, number).round().astype(int)]


def make_picture(
    benchmark: Benchmark,
    masks: Path,
    sequence: SequenceFiles,
    width: int,
    frame: int,
    *,
    with_truth: bool,
) -> tuple[dict[str, object], set[int]]:
    """Shrinks a frame, its mask and its truth; returns them in base64, and the objects in those.

    The frame is a JPEG, the masks are PNGs whose grey values are ids.
    """
    prediction, _ = read_result(mask_path(masks, sequence, frame))
    size = picture_size(prediction.shape, width)
    truth = read_truth(benchmark, sequence, frame) if with_truth else None
    image = Image.fromarray(read_frame(benchmark, sequence.frames[frame]))
    picture: dict[str, object] = {
        "frame": frame,
        "name": sequence.frame_name(frame),
        "image": _encode(image.resize(size, Image.Resampling.BOX), "JPEG", quality=_JPEG_QUALITY),
        "prediction": _encode_ids(prediction, size),
        "truth": None if truth is None else _encode_ids(truth, size),
    }
    return picture, {*object_ids(prediction), *(() if truth is None else object_ids(truth))}


def picture_size(size: tuple[int, ...], max_width: int) -> tuple[int, int]:
    """Returns the width and height, in pixels, of the picture of a mask [H, W]."""
    height, width = size
    if width <= max_width:
        return width, height
    return max_width, max(1, round(height * max_width / width))


def _encode_ids(ids: np.ndarray, size: tuple[int, int]) -> str:
    """Encodes ids as grey levels; a palette that ends at the highest takes fewer bits."""
    known = np.where(ids == IGNORED, 0, ids).astype(np.uint8)
    image = Image.fromarray(known).resize(size, Image.Resampling.NEAREST)
    image.putpalette(np.repeat(np.arange(int(known.max()) + 1, dtype=np.uint8), 3).tobytes())
    return _encode(image, "PNG", optimize=True)


def _encode(image: Image.Image, kind: str, **options: object) -> str:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return base64.b64encode(file.getvalue()).decode("ascii")
