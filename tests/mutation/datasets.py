"""Lists and metadata of data sets, folders of runs, scores, and zips for servers."""

import json
import shutil
from collections.abc import Mapping
from typing import Any

import numpy as np
from benchmark_trees import write_benchmark_tree
from evaluation.scored_trees import write_results
from mutation.archives import change_zip
from mutation.documents import change_document, change_lines, odd_names
from mutation.formats import PNG
from mutation.trial import Damage, require_lines
from mutation.watch import put

from mavos_jax.config import SourceConfig
from mavos_jax.datasets import Benchmark, BenchmarkName, check_benchmark, open_benchmark
from mavos_jax.datasets.listing import read_names
from mavos_jax.datasets.opening import open_files
from mavos_jax.datasets.protocol import ScoringOptions
from mavos_jax.datasets.sequences import SequenceFiles
from mavos_jax.evaluation.reading import mask_path
from mavos_jax.evaluation.run_folder import RunFolder
from mavos_jax.evaluation.scoring import (
    describe_inputs,
    require_replaceable,
    score_results,
    write_scores,
)
from mavos_jax.evaluation.sequence import SequenceRecord, SequenceTask, set_speeds
from mavos_jax.evaluation.sharing import check_sequences
from mavos_jax.evaluation.submission import check_submission, write_submission
from mavos_jax.inference.geometry import Sizes
from mavos_jax.media.masks import read_mask

_FRAME = (48, 64)
_SETS: Mapping[str, tuple[BenchmarkName, str | None]] = {
    "ytvos": ("youtube_vos2019", "train"),
    "lvos": ("lvos2", None),
    "davis": ("davis2017", None),
    "long": ("long_time_video", None),
    "any": ("folder", "train"),
}
_TRAINED = {"youtube_vos2019": "youtube_vos", "davis2017": "davis2017", "folder": "folder"}
_IDENTITY: Any = {"config": {"name": "small", "memory": {"gap": 5}}, "scales": [1.0]}


def _change_file(rng, file, root, names):
    """Damages a file as its suffix says; its name below the root and the content."""
    name, data = file.relative_to(root).as_posix(), file.read_bytes()
    match file.suffix:
        case ".png":
            return name, PNG.change(rng, data)
        case ".txt":
            return name, change_lines(rng, data, names)
        case _:
            return name, change_document(rng, data, names)


def metadata(places):
    """What names the videos of a set: ``meta.json`` and lists."""
    root, precious = places.tree, places.outside / "precious"
    sets = {
        folder: write_benchmark_tree(root / folder, dataset, split=split)
        for folder, (dataset, split) in _SETS.items()
    }
    put(root / "any/ImageSets/train.txt", b"bear\ndog-2\n")
    files = [file for file in sorted(root.rglob("*")) if file.suffix in (".json", ".txt")]
    masks = sorted(root.rglob("Annotations/**/*.png"))
    for mask in masks:  # a folder outside that could be taken for a sequence of any set
        put(precious / mask.name, mask.read_bytes())
    videos = sorted({mask.parent.name for mask in masks})
    names = odd_names(precious)

    def readers(chosen):
        options = sets[chosen.relative_to(root).parts[0]]

        def check():
            require_lines(check_benchmark(options), root)

        def read_list():
            assert read_names(chosen)

        def clear():
            """Clears the places of results, as a run does."""
            benchmark = open_benchmark(options)
            with RunFolder.opened(places.output, {}, {}) as folder:
                for sequence in benchmark.sequences:
                    sizes = Sizes(_FRAME, _FRAME)
                    begun = folder.begin(SequenceTask(benchmark, sequence, _FRAME, sizes, "", (1,)))
                    written = begun, mask_path(begun.parent, sequence, 0)
                    _require_below(places.output / "masks", *written)
                    _require_below(root, *sequence.frames, *sequence.truth.values())

        def train():
            kind = _TRAINED[options.dataset]
            for video in open_files(SourceConfig(kind, str(options.root), options.split)):
                assert isinstance(video.files, SequenceFiles)
                for index, frame in enumerate(video.files.frames):
                    _require_below(root, frame, video.files.mask_path(index))

        return (clear, check, read_list, *([train] if options.dataset in _TRAINED else []))

    def damage(rng):
        chosen = rng.choice(files)
        name, data = _change_file(rng, chosen, root, names)
        if rng.random() < 0.25:  # a video gets an odd name, and all else stays
            data, odd = chosen.read_bytes(), rng.choice(names)
            video = rng.choice([video for video in videos if video.encode() in data])
            dump = json.dumps if chosen.suffix == ".json" else str
            data = data.replace(dump(video).encode(), dump(odd).encode(errors="surrogateescape"))
        # A list that names what is not there is refused for what is not there.
        return Damage({name: data}, readers(chosen), needs_name=False)

    return damage


def _require_below(root, *paths):
    for path in paths:
        assert path.resolve().is_relative_to(root), path


def records(places):
    """The folder of a run: whose it is, what each sequence took, and its masks."""
    tree = places.tree
    benchmark = open_benchmark(write_benchmark_tree(places.outside / "set", "davis2017"))
    tasks = check_sequences(benchmark, None)
    names = odd_names(places.outside / "set")
    with RunFolder.opened(tree, _IDENTITY, {}, conclusions=["scores.json"]) as folder:
        for task in tasks:
            _finish(folder, task)
        folder.write("scores.json", {"a": 1})
    stored = (tree / "run.json", *2 * sorted(tree.glob("sequences/*.json")))
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

    def damage(rng):
        file = rng.choice(masks if rng.random() < 0.15 else stored)
        name, data = _change_file(rng, file, tree, names)
        changed: dict[str, bytes | None] = {name: data}
        if rng.random() < 0.05:
            changed = rng.choice(({name: None}, {name: None, f"{name}/file": b""}))
        return Damage(changed, (go_on, overwrite), owns_tree=True, needs_name=False)

    return damage


def _finish(folder, task):
    height, width = task.sizes.output
    frames = np.zeros((len(task.sequence.frames), height, width), np.uint8)
    write_results(folder.begin(task).parent, {task.sequence.name: frames})
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
    options = write_benchmark_tree(places.outside / "set", "davis2017")
    first = open_benchmark(options).sequences[0]
    benchmark = Benchmark("davis2017", "val", options.root, (first,))
    names = odd_names(places.outside / "set")
    put(tree / "unseen.txt", b"# unseen\ncat\ndog\n")
    for path in first.truth.values():
        put(tree / "masks" / first.name / path.name, path.read_bytes())
    inputs = describe_inputs(tree / "masks", benchmark, rule)

    def replace():
        require_replaceable(tree, benchmark, inputs)

    def score():
        return score_results(benchmark, tree / "masks", rule)

    def read_list():
        assert read_names(tree / "unseen.txt")

    write_scores(tree, benchmark, score(), inputs)
    masks = sorted(tree.glob("masks/*/*.png"))

    def damage(rng):
        files = (*7 * (tree / "scores.json",), *2 * (rng.choice(masks),), tree / "unseen.txt")
        name, data = _change_file(rng, rng.choice(files), tree, names)
        return Damage({name: data}, (replace, score, read_list))

    return damage


def submission(places):
    """A zip for a server, whoever made it."""
    options = write_benchmark_tree(places.outside / "set", "youtube_vos2019", split="train")
    first = open_benchmark(options).sequences[:2]
    benchmark = Benchmark("youtube_vos2019", "train", options.root, first)
    names = odd_names(places.outside / "set")
    path, results = places.tree / "submission.zip", places.output / "masks"
    for sequence in first:
        for truth in sequence.truth.values():
            put(results / sequence.name / truth.name, truth.read_bytes())
    write_submission(benchmark, results, path)
    shutil.rmtree(results)
    sound = path.read_bytes()

    def check():
        require_lines(check_submission(benchmark, path), path)

    def damage(rng):
        return Damage({path.name: change_zip(rng, sound, names, PNG.change)}, [check])

    return damage
