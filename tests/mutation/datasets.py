"""Lists and metadata of data sets, folders of runs, scores, and zips for servers."""

import json
import shutil
from collections.abc import Mapping
from typing import Any

import numpy as np
from benchmark_trees import write_benchmark_tree
from evaluation.scored_trees import write_results
from mutation.trial import Subject, require_lines
from mutation.watch import put

from mavos_jax.config import SourceConfig
from mavos_jax.datasets import Benchmark, check_benchmark, open_benchmark
from mavos_jax.datasets.listing import read_names
from mavos_jax.datasets.opening import open_files
from mavos_jax.datasets.protocol import ScoringOptions
from mavos_jax.datasets.sequences import SequenceFiles
from mavos_jax.evaluation import scoring
from mavos_jax.evaluation.reading import mask_path
from mavos_jax.evaluation.run_folder import RunFolder
from mavos_jax.evaluation.sequence import SequenceRecord, SequenceTask, set_speeds
from mavos_jax.evaluation.sharing import check_sequences
from mavos_jax.evaluation.submission import check_submission, write_submission
from mavos_jax.inference.geometry import Sizes
from mavos_jax.media.masks import read_mask

_FRAME = (48, 64)
_IDENTITY: Any = {"config": {"name": "small", "memory": {"gap": 5}}, "scales": [1.0]}


def _sources(root, *paths):
    return [(path.relative_to(root).as_posix(), path.read_bytes()) for path in paths]


def metadata(dataset, split, kind, places):
    """What names the videos of a set, which may be trained on: ``meta.json`` and lists."""
    root = places.tree
    options = write_benchmark_tree(root, dataset, split=split)
    if dataset == "folder":
        put(root / "ImageSets/train.txt", b"bear\ndog-2\n")
    files = [file for file in sorted(root.rglob("*")) if file.suffix in (".json", ".txt")]
    for mask in root.rglob("Annotations/**/*.png"):  # could be taken for a sequence of any set
        put(places.precious / mask.name, mask.read_bytes())

    def check():
        require_lines(check_benchmark(options), root)

    def read_lists():
        for file in files:
            assert read_names(file)

    def clear():
        """Clears the places of results, as a run does."""
        benchmark = open_benchmark(options)
        with RunFolder.opened(places.output, {}, {}) as folder:
            for sequence in benchmark.sequences:
                task = SequenceTask(benchmark, sequence, _FRAME, Sizes(_FRAME, _FRAME), "", (1,))
                masks, table, soft = folder.begin(task)
                _require_below(places.output / "masks", masks, mask_path(masks.parent, sequence, 0))
                _require_below(places.output / "confidence", table)
                _require_below(places.output / "soft", soft)
                _require_below(root, *sequence.frames, *sequence.truth.values())

    def train():
        for video in open_files(SourceConfig(kind, str(root), options.split)):
            assert isinstance(video.files, SequenceFiles)
            for index, frame in enumerate(video.files.frames):
                _require_below(root, frame, video.files.mask_path(index))

    readers = (clear, check, read_lists, *([train] if kind else []))
    # A list that names what is not there is refused for what is not there.
    return Subject(_sources(root, *files), readers, needs_name=False)


def _require_below(root, *paths):
    for path in paths:
        assert path.resolve().is_relative_to(root), path


def records(places):
    """The folder of a run: whose it is, what each sequence took, and its masks."""
    tree = places.tree
    benchmark = open_benchmark(write_benchmark_tree(places.precious, "davis2017"))
    tasks = check_sequences(benchmark, None)
    with RunFolder.opened(tree, _IDENTITY, {}, conclusions=["scores.json"]) as folder:
        for task in tasks:
            _finish(folder, task)
        folder.write("scores.json", {"a": 1})
    files = (tree / "run.json", *sorted(tree.glob("sequences/*.json")))
    masks = sorted(tree.glob("masks/*/*.png"))

    def go_on():
        with RunFolder.opened(tree, _IDENTITY, {}) as folder:
            assert isinstance(folder.origin(), Mapping)
            found = [folder.record(task) for task in tasks]
            for task, record in zip(tasks, found, strict=True):
                if record is None:
                    require_lines(list(filter(None, [folder.fault(task)])), tree)
                    folder.begin(task)
                    continue
                _require_record(record, task)
                for index in task.sequence.saved:
                    path = mask_path(tree / "masks", task.sequence, index)
                    read_mask(path, task.sizes.output, allow_empty=True, is_drawn=False)
            speeds = set_speeds(record for record in found if record is not None)
            json.dumps([speed._asdict() for speed in speeds.values()], allow_nan=False)

    def overwrite():
        with RunFolder.opened(tree, {"other": 1}, {}, overwrite=True) as folder:
            assert folder.record(tasks[0]) is None

    sources = _sources(tree, *masks, *len(masks) * files)
    return Subject(sources, (go_on, overwrite), owns_tree=True, needs_name=False)


def _finish(folder, task):
    height, width = task.sizes.output
    frames = np.zeros((len(task.sequence.frames), height, width), np.uint8)
    write_results(folder.begin(task).masks.parent, {task.sequence.name: frames})
    numbers = (len(frames), 2, height, width, 1.5)
    timings = {"aot": (4, 0.5), "end-to-end": (5, 1.0)}
    peak = ("peak", 1 << 30)
    folder.finish(SequenceRecord(task.sequence.name, task.data, *numbers, timings, peak), task)


def _require_record(record, task):
    """Fails unless a record can be reported."""
    numbers = (record.num_frames, record.num_objects, record.height, record.width)
    assert all(type(number) is int for number in numbers), numbers
    assert record.name == task.sequence.name
    assert record.speeds
    json.dumps([record.timings, record.memory, record.speeds], allow_nan=False)
    assert isinstance(record.compilation_seconds, int | float)


def scores(places):
    """``scores.json`` of a run, which another scoring compares itself with; and result masks."""
    tree, rule = places.tree, ScoringOptions()
    options = write_benchmark_tree(places.precious, "davis2017")
    first = open_benchmark(options).sequences[0]
    benchmark = Benchmark("davis2017", "val", options.root, (first,))
    put(tree / "unseen.txt", b"# unseen\ncat\ndog\n")
    for path in first.truth.values():
        put(tree / "masks" / first.name / path.name, path.read_bytes())
    inputs = scoring.describe_inputs(tree / "masks", benchmark, rule)

    def replace():
        scoring.require_replaceable(tree, benchmark, inputs)

    def score():
        return scoring.score_results(benchmark, tree / "masks", rule)

    def read_list():
        assert read_names(tree / "unseen.txt")

    scoring.write_scores(tree, benchmark, score(), inputs)
    masks = sorted(tree.glob("masks/*/*.png"))
    files = (tree / "scores.json", tree / "scores.json", tree / "unseen.txt")
    return Subject(_sources(tree, *masks, *len(masks) * files), (replace, score, read_list))


def submission(places):
    """A zip for a server, whoever made it."""
    options = write_benchmark_tree(places.precious, "youtube_vos2019", split="train")
    first = open_benchmark(options).sequences[:2]
    benchmark = Benchmark("youtube_vos2019", "train", options.root, first)
    path, results = places.tree / "submission.zip", places.output / "masks"
    for sequence in first:
        for truth in sequence.truth.values():
            put(results / sequence.name / truth.name, truth.read_bytes())
    write_submission(benchmark, results, path)
    shutil.rmtree(results)

    def check():
        require_lines(check_submission(benchmark, path), path)

    return Subject(_sources(places.tree, path), [check])
