"""Benchmarks of blocks for reports, with masks that are wrong in known places."""

import numpy as np
from evaluation.scored_trees import sequence_of, write_results
from PIL import Image

from mavos_jax.datasets.dataset import Benchmark
from mavos_jax.datasets.protocol import ScoringOptions
from mavos_jax.evaluation.report import ReportContents
from mavos_jax.evaluation.scoring import score_results
from mavos_jax.evaluation.sequence import SequenceRecord
from mavos_jax.media.masks import write_mask


def blocks(frame):
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


def write_blocks(root, name, num_frames=8, *, pairs=blocks, labelled=True):
    """Writes a sequence of :func:`blocks` whose frame t is the colour (10 t, 120, 200)."""
    truth, prediction = map(np.stack, zip(*map(pairs, range(num_frames)), strict=True))
    sequence = sequence_of(truth, name, root, labelled=None if labelled else (0,))
    for t, path in enumerate(sequence.frames):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((24, 40, 3), (10 * t, 120, 200), np.uint8)).save(path)
    for t, path in sequence.truth.items():
        write_mask(path, truth[t])
    write_results(root / "masks", {name: prediction})
    return sequence


def score(root, *sequences):
    """Scores the written masks of sequences, without their first and last frame."""
    benchmark = Benchmark("davis2017", "val", root, sequences)
    return score_results(benchmark, root / "masks", ScoringOptions())


def record_of(sequence, speeds, memory="peak device memory"):
    """The record of a sequence of two objects that was segmented at some frames per second."""
    count = len(sequence.frames)
    timings = {protocol: (count, count / speed) for protocol, speed in speeds.items()}
    numbers = (count, 2, 24, 40, 0.0)
    return SequenceRecord(sequence.name, "", *numbers, timings, (memory, 2_600_000_000))


def contents_of(root, sequences, **changes):
    scored = [s for s in sequences if len(s.truth) == len(s.frames) > 2 and "scores" not in changes]
    records = [
        record_of(s, {"aot": 30.0 + 7 * i, "end-to-end": 12.5}) for i, s in enumerate(sequences)
    ]
    fields = {
        "title": "DAVIS 2017 val",
        "benchmark": Benchmark("davis2017", "val", root, tuple(sequences)),
        "masks": root / "masks",
        "scores": score(root, *scored) if scored else None,
        "records": records,
        "network": "r50_mavos",
        "provenance": {"commit": "0123abc", "weights": {"file": "weights.npz", "bytes": 12}},
    }
    return ReportContents(**(fields | changes))
