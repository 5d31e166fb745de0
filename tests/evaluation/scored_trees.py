"""Small benchmarks with truth, and folders of results for them."""

import json
from pathlib import Path

import numpy as np

from mavos_jax.datasets.dataset import Benchmark
from mavos_jax.datasets.protocol import ScoringOptions, SequenceMasks
from mavos_jax.datasets.sequences import GivenMask, SequenceFiles
from mavos_jax.datasets.table import BenchmarkName
from mavos_jax.evaluation.reading import mask_path, output_size, read_given, shrink_mask
from mavos_jax.media.masks import write_mask
from mavos_jax.media.pictures import read_frame_header

SIZE = (36, 48)


def drifting(seed, num_frames, ids=(1, 2), size=SIZE):
    """Label maps [T, H, W] of discs that drift, each in its own part of the frame."""
    generator = np.random.default_rng(seed)
    y, x = np.indices(size)
    result = np.zeros((num_frames, *size), np.uint8)
    for index, number in enumerate(ids):
        centre = generator.uniform(0.3, 0.7) * size[0], (index + 0.5) * size[1] / len(ids)
        for frame in range(num_frames):
            step = generator.uniform(-4, 4, 2)
            distance = np.hypot(y - centre[0] - step[0], x - centre[1] - step[1])
            result[frame][distance < generator.uniform(5, 8)] = number
    return result


def in_memory(truth, prediction):
    return SequenceMasks(lambda t: truth[t], lambda t: prediction[t])


def sequence_of(truth, name="bird", root=Path(), given=None, labelled=None, **fields):
    """A sequence whose files need not exist, with truth for all frames or the labelled ones."""
    times = range(len(truth))
    labels = [root / "Annotations" / name / f"{t:05d}.png" for t in times]
    return SequenceFiles(
        name,
        tuple(root / "JPEGImages" / name / f"{t:05d}.jpg" for t in times),
        {t: GivenMask(labels[t], ids) for t, ids in (given or {0: None}).items()},
        {t: labels[t] for t in labelled or times},
        tuple(times),
        **fields,
    )


def score_arrays(score, truth, prediction, rule=ScoringOptions(), **sequence):  # noqa: B008
    """Scores masks [T, H, W] by a data set's protocol; other arguments describe the sequence."""
    return score(sequence_of(truth, **sequence), in_memory(truth, prediction), rule)


def write_benchmark(
    root: Path, truth, dataset: BenchmarkName = "davis2017", *, spans=(), **settings
) -> Benchmark:
    """Writes true masks as files, and opens them; the frames' files are empty."""
    own = dict(spans)
    sequences = [
        sequence_of(masks, name, root, spans=own.get(name, {})) for name, masks in truth.items()
    ]
    for sequence in sequences:
        sequence.frames[0].parent.mkdir(parents=True)
        for t, frame in enumerate(sequence.frames):
            frame.touch()
            write_mask(sequence.truth[t], truth[sequence.name][t])
    return Benchmark(dataset, "val", root, tuple(sequences), **settings)


def write_results(folder, predictions, name_frame="{:05d}".format):
    for name, masks in predictions.items():
        for index, ids in enumerate(masks):
            write_mask(folder / name / f"{name_frame(index)}.png", ids)
    return folder


def repeat_given(benchmark: Benchmark, folder: Path) -> Path:
    """Writes the given masks for every frame from theirs on, more than is wanted; the folder."""
    for sequence in benchmark.sequences:
        stored = read_frame_header(sequence.frames[0]).size
        size, ids = output_size(benchmark, stored), np.zeros(stored, np.uint8)
        for index in range(len(sequence.frames)):
            if index in sequence.given:
                new, _ = read_given(benchmark, sequence, index, stored)
                ids = np.where(new > 0, new, ids)
            write_mask(mask_path(folder, sequence, index), shrink_mask(ids, size))
    return folder


def lvos_spans(golden) -> dict[str, dict[int, tuple[int, ...]]]:
    spans = {}
    for name, video in json.loads(str(golden["lvos_meta"]))["videos"].items():
        ranges = {int(k): v["frame_range"] for k, v in video["objects"].items()}
        spans[name] = {
            number: tuple((t - 1) // 5 for t in range(int(r["start"]), int(r["end"]), 5))
            for number, r in ranges.items()
        }
    return spans
