"""Benchmarks of generated clips, with masks that are wrong in known places, for reports."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from mavos_jax.datasets.dataset import Benchmark
from mavos_jax.datasets.sequences import GivenMask, SequenceFiles
from mavos_jax.datasets.table import Dataset
from mavos_jax.evaluation.record import SequenceRecord
from mavos_jax.evaluation.report import ReportContents
from mavos_jax.generated.video import SyntheticVideo
from mavos_jax.media.masks import write_mask
from mavos_jax.scores.metrics import ObjectScores, score_frame, statistics
from mavos_jax.scores.scores import BenchmarkScores, ObjectResult

Pair = tuple[np.ndarray, np.ndarray]


def blocks(frame: int) -> Pair:
    """Returns truth and prediction [24, 40]: id 1 at the left, 2 at the right unless it is away.

    Columns 0 to 3 of object 1 are missed, columns 16 to 19 are extra, and the lower half of object
    2 is taken for 1.
    """
    truth = np.zeros((24, 40), np.uint8)
    truth[:, :16] = 1
    prediction = truth.copy()
    prediction[:, :4], prediction[:, 16:20] = 0, 1
    if frame not in (3, 4):
        truth[:, 28:] = 2
        prediction[:12, 28:], prediction[12:, 28:] = 2, 1
    return truth, prediction


def write_sequence(
    root: Path, name: str, frames: list[np.ndarray], pairs: list[Pair], *, labelled: bool = True
) -> SequenceFiles:
    """Writes frames (PNG), masks and predictions."""
    for index, (frame, (truth, prediction)) in enumerate(zip(frames, pairs, strict=True)):
        path = root / "JPEGImages" / name / f"{index:05d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(frame).save(path)
        if labelled or not index:
            write_mask(root / "Annotations" / name / f"{index:05d}.png", truth)
        write_mask(root / "masks" / name / f"{index:05d}.png", prediction)
    labels = sorted((root / "Annotations" / name).iterdir())
    return SequenceFiles(
        name,
        frames=tuple(sorted((root / "JPEGImages" / name).iterdir())),
        given={0: GivenMask(labels[0])},
        truth=dict(enumerate(labels)),
        saved=tuple(range(len(frames))),
    )


def write_blocks(
    root: Path,
    name: str,
    num_frames: int = 8,
    *,
    pairs: Callable[[int], Pair] = blocks,
    labelled: bool = True,
) -> SequenceFiles:
    """Writes a sequence of :func:`blocks` whose frame t is the colour (10 t, 120, 200)."""
    frames = [np.full((24, 40, 3), (10 * t, 120, 200), np.uint8) for t in range(num_frames)]
    made = [pairs(t) for t in range(num_frames)]
    return write_sequence(root, name, frames, made, labelled=labelled)


def write_masks(benchmark: Benchmark, folder: Path) -> Path:
    """Writes results that follow the latest true or given mask, moved by 3 columns; the folder."""
    for sequence in benchmark.sequences:
        files = {t: given.path for t, given in sequence.given.items()} | dict(sequence.truth)
        for t in sequence.saved:
            latest = files[max(known for known in files if known <= t)]
            with Image.open(latest) as image:
                ids = np.roll(np.asarray(image), 3, axis=1)
            if benchmark.is_binary:
                ids = (ids > 0).astype(np.uint8)
            write_mask(folder / sequence.name / f"{sequence.frame_name(t)}.png", ids)
    return folder


def write_generated(root: Path, name: str, video: SyntheticVideo) -> SequenceFiles:
    """Writes a generated clip whose masks lag more and more, and once take 2 for 1."""
    truths = [video.mask(t) for t in range(len(video))]
    pairs = []
    for index, truth in enumerate(truths):
        lag = truths[max(0, index - index // 6)]
        swapped = np.where((lag == 2) & (index > len(video) // 2), 1, lag).astype(np.uint8)
        pairs.append((truth, swapped))
    return write_sequence(root, name, [video.frame(t) for t in range(len(video))], pairs)


def score(root: Path, sequence: SequenceFiles) -> list[ObjectResult]:
    """Scores the written masks of a sequence, without its first and last frame."""
    counted = tuple(range(1, len(sequence.frames) - 1))
    truths = [np.asarray(Image.open(sequence.truth[t])) for t in counted]
    names = [sequence.frame_name(t) for t in counted]
    found = [np.asarray(Image.open(root / "masks" / sequence.name / f"{n}.png")) for n in names]
    ids = range(1, int(np.asarray(Image.open(sequence.truth[0])).max()) + 1)
    pairs = [score_frame(t, p, ids) for t, p in zip(truths, found, strict=True)]
    values = np.array(pairs).transpose(2, 1, 0).tolist()
    return [
        ObjectResult(
            *(sequence.name, number),
            scores=ObjectScores(*map(statistics, values[number - 1])),
            is_unseen=None,
            frames=counted,
            region=tuple(values[number - 1][0]),
            boundary=tuple(values[number - 1][1]),
            is_visible=tuple(bool((truth == number).any()) for truth in truths),
        )
        for number in ids
    ]


def record_of(
    sequence: SequenceFiles, speeds: dict[str, float], memory: str = "peak device memory"
) -> SequenceRecord:
    """The record of a sequence of two objects that was segmented at some frames per second."""
    count = len(sequence.frames)
    return SequenceRecord(
        *(sequence.name, "", count, 2, 24, 40, 0.0),
        timings={protocol: (count, count / speed) for protocol, speed in speeds.items()},
        memory=(memory, 2_600_000_000),
    )


def contents_of(
    root: Path, sequences: list[SequenceFiles], dataset: Dataset = "davis2017", **changes
) -> ReportContents:
    """Puts a report together; sequences with all labels are scored, of which the ends are none."""
    results = [r for s in sequences if len(s.truth) == len(s.frames) > 2 for r in score(root, s)]
    means = [(r.scores.region.mean, r.scores.boundary.mean) for r in results]
    region, boundary = np.mean(means, axis=0).tolist() if means else (0.0, 0.0)
    summary = {"J&F-Mean": (region + boundary) / 2, "J-Mean": region, "F-Mean": boundary}
    records = [
        record_of(s, {"aot": 30.0 + 7 * i, "end-to-end": 12.5}) for i, s in enumerate(sequences)
    ]
    fields = {
        "title": "DAVIS 2017 val",
        "benchmark": Benchmark(dataset, "val", root, tuple(sequences)),
        "masks": root / "masks",
        "scores": BenchmarkScores("DAVIS 2017", tuple(results), summary) if results else None,
        "records": records,
        "network": "r50_mavos",
        "provenance": {"commit": "0123abc", "weights": {"file": "weights.npz", "bytes": 12}},
    }
    return ReportContents(**(fields | changes))
