"""Benchmarks of blocks for reports, with masks that are wrong in known places."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from mavos_jax.datasets.dataset import Benchmark
from mavos_jax.datasets.davis import score_davis2017
from mavos_jax.datasets.protocol import ScoringOptions, SequenceMasks
from mavos_jax.datasets.sequences import GivenMask, SequenceFiles
from mavos_jax.evaluation.reading import mask_path
from mavos_jax.evaluation.report import ReportContents
from mavos_jax.evaluation.sequence import SequenceRecord
from mavos_jax.media.masks import read_values, write_mask
from mavos_jax.scores.metrics import BenchmarkScores, ObjectResult

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


def write_blocks(
    root: Path,
    name: str,
    num_frames: int = 8,
    *,
    pairs: Callable[[int], Pair] = blocks,
    labelled: bool = True,
) -> SequenceFiles:
    """Writes a sequence of :func:`blocks` whose frame t is the colour (10 t, 120, 200)."""
    frames, labels = [], []
    for t in range(num_frames):
        truth, prediction = pairs(t)
        frames.append(root / "JPEGImages" / name / f"{t:05d}.png")
        frames[-1].parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((24, 40, 3), (10 * t, 120, 200), np.uint8)).save(frames[-1])
        if labelled or not t:
            labels.append(root / "Annotations" / name / f"{t:05d}.png")
            write_mask(labels[-1], truth)
        write_mask(root / "masks" / name / f"{t:05d}.png", prediction)
    return SequenceFiles(
        name,
        frames=tuple(frames),
        given={0: GivenMask(labels[0])},
        truth=dict(enumerate(labels)),
        saved=tuple(range(num_frames)),
    )


def write_masks(benchmark: Benchmark, folder: Path) -> Path:
    """Writes results that follow the latest true or given mask, moved by 3 columns; the folder."""
    for sequence in benchmark.sequences:
        files = {t: given.path for t, given in sequence.given.items()} | dict(sequence.truth)
        for t in sequence.saved:
            latest = files[max(known for known in files if known <= t)]
            ids = np.roll(read_values(latest).ids, 3, axis=1)
            if benchmark.is_binary:
                ids = (ids > 0).astype(np.uint8)
            write_mask(folder / sequence.name / f"{sequence.frame_name(t)}.png", ids)
    return folder


def score(root: Path, sequence: SequenceFiles) -> list[ObjectResult]:
    """Scores the written masks of a sequence, without its first and last frame."""
    masks = SequenceMasks(
        truth=lambda t: read_values(sequence.truth[t]).ids,
        prediction=lambda t: read_values(mask_path(root / "masks", sequence, t)).ids,
    )
    return list(score_davis2017(sequence, masks, ScoringOptions()))


def record_of(
    sequence: SequenceFiles, speeds: dict[str, float], memory: str = "peak device memory"
) -> SequenceRecord:
    """The record of a sequence of two objects that was segmented at some frames per second."""
    count = len(sequence.frames)
    timings = {protocol: (count, count / speed) for protocol, speed in speeds.items()}
    numbers = (count, 2, 24, 40, 0.0)
    return SequenceRecord(sequence.name, "", *numbers, timings, (memory, 2_600_000_000))


def contents_of(root: Path, sequences: list[SequenceFiles], **changes) -> ReportContents:
    scored = [s for s in sequences if len(s.truth) == len(s.frames) > 2 and "scores" not in changes]
    results = [result for sequence in scored for result in score(root, sequence)]
    means = [(r.scores.region.mean, r.scores.boundary.mean) for r in results]
    region, boundary = np.mean(means, axis=0).tolist() if means else (0.0, 0.0)
    summary = {"J&F-Mean": (region + boundary) / 2, "J-Mean": region, "F-Mean": boundary}
    records = [
        record_of(s, {"aot": 30.0 + 7 * i, "end-to-end": 12.5}) for i, s in enumerate(sequences)
    ]
    fields = {
        "title": "DAVIS 2017 val",
        "benchmark": Benchmark("davis2017", "val", root, tuple(sequences)),
        "masks": root / "masks",
        "scores": BenchmarkScores("DAVIS 2017", tuple(results), summary) if results else None,
        "records": records,
        "network": "r50_mavos",
        "provenance": {"commit": "0123abc", "weights": {"file": "weights.npz", "bytes": 12}},
    }
    return ReportContents(**(fields | changes))
