"""Folders of runs, scores, and zips for servers."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Mapping
from typing import Any

import numpy as np
from benchmark_trees import write_benchmark_tree
from evaluation.scored_trees import write_results
from mutation.archives import change_entries, change_zip, read_zip
from mutation.changes import change_bytes
from mutation.documents import change_document, change_lines, odd_names
from mutation.pictures import change_png
from mutation.subject import Places, Reader, Subject, put, require_lines

from mavos_jax.datasets import Benchmark, open_benchmark
from mavos_jax.datasets.listing import read_names
from mavos_jax.datasets.protocol import ScoringRule
from mavos_jax.evaluation.reading import mask_path
from mavos_jax.evaluation.record import SequenceRecord, set_speeds
from mavos_jax.evaluation.run_folder import RunFolder
from mavos_jax.evaluation.score_files import (
    describe_inputs,
    require_replaceable,
    write_scores,
)
from mavos_jax.evaluation.scoring import score_results
from mavos_jax.evaluation.sequence import SequenceTask
from mavos_jax.evaluation.sharing import check_sequences
from mavos_jax.evaluation.submission import check_submission, write_submission
from mavos_jax.media.masks import read_mask


class Records(Subject):
    """The folder of a run: who it is of, what each sequence took, and its masks."""

    owns_tree, needs_name = True, False  # the folder is named
    identity: Mapping[str, Any] = {
        "config": {"name": "small", "memory": {"gap": 5}},
        "scales": [1.0],
        "flip": False,
    }

    def __init__(self, places: Places) -> None:
        super().__init__(places)
        options = write_benchmark_tree(places.outside / "set", "davis2017")
        self.benchmark = open_benchmark(options)
        self.tasks = check_sequences(self.benchmark, None)
        self.names = odd_names(str(places.outside / "set"))
        with RunFolder.opened(
            places.tree, self.identity, {}, conclusions=["scores.json"]
        ) as folder:
            for task in self.tasks:
                self._finish(folder, task)
            folder.write("scores.json", {"a": 1})
        self.records = sorted(places.tree.glob("sequences/*.json"))

    def damage(self, rng: random.Random) -> dict[str, bytes | None]:
        tree = self.places.tree
        file = rng.choice((tree / "run.json", *self.records, *self.records))
        if rng.random() < 0.15:
            file = rng.choice(sorted(tree.glob("masks/*/*.png")))
        name, data = file.relative_to(tree).as_posix(), file.read_bytes()
        if rng.random() < 0.05:
            return rng.choice(({name: None}, {name: None, f"{name}/file": b""}))
        if file.suffix == ".png":
            return {name: change_png(rng, data)}
        return {name: change_document(rng, data, self.names)}

    def readers(self) -> tuple[Reader, ...]:
        return (self._go_on, self._overwrite)

    def _go_on(self) -> None:
        with RunFolder.opened(self.places.tree, self.identity, {}) as folder:
            assert isinstance(folder.origin(), Mapping)
            found = [folder.record(task) for task in self.tasks]
            for task, record in zip(self.tasks, found, strict=True):
                if record is None:
                    require_lines(list(filter(None, [folder.fault(task)])), self.places.tree)
                    folder.begin(task)
                    continue
                _require_record(record, task)
                for index in task.sequence.saved:
                    read_mask(
                        mask_path(self.places.tree / "masks", task.sequence, index),
                        task.sizes.output,
                        allow_empty=True,
                        is_drawn=False,
                    )
            speeds = set_speeds(record for record in found if record is not None)
            json.dumps([speed._asdict() for speed in speeds.values()], allow_nan=False)

    def _overwrite(self) -> None:
        with RunFolder.opened(self.places.tree, {"other": 1}, {}, overwrite=True) as folder:
            assert folder.record(self.tasks[0]) is None

    def _finish(self, folder: RunFolder, task: SequenceTask) -> None:
        masks = folder.begin(task)
        height, width = task.sizes.output
        frames = np.zeros((len(task.sequence.frames), height, width), np.uint8)
        name = task.sequence.name
        write_results(masks.parent, {name: frames})
        numbers = (len(frames), 2, height, width, 1.5)
        timings = {"aot": (4, 0.5), "end-to-end": (5, 1.0)}
        record = SequenceRecord(name, task.data, *numbers, timings, ("peak", 1 << 30))
        folder.finish(record, task)


class Scores(Subject):
    """``scores.json`` of a run, which another scoring compares itself with; and result masks."""

    def __init__(self, places: Places) -> None:
        super().__init__(places)
        options = write_benchmark_tree(places.outside / "set", "davis2017")
        benchmark = open_benchmark(options)
        first = benchmark.sequences[0]
        self.benchmark = Benchmark("davis2017", "val", options.root, (first,))
        self.names = odd_names(str(places.outside / "set"))
        put(places.tree / "unseen.txt", b"# unseen\ncat\ndog\n")
        for path in first.truth.values():
            put(places.tree / "masks" / first.name / path.name, path.read_bytes())
        rule = ScoringRule()
        self.inputs = describe_inputs(places.tree / "masks", self.benchmark, rule)
        scores = score_results(self.benchmark, places.tree / "masks", rule)
        write_scores(places.tree, self.benchmark, scores, self.inputs)

    def damage(self, rng: random.Random) -> dict[str, bytes | None]:
        tree = self.places.tree
        choice = rng.random()
        if choice < 0.1:
            data = (tree / "unseen.txt").read_bytes()
            return {"unseen.txt": change_lines(rng, data, self.names)}
        if choice < 0.3:
            file = rng.choice(sorted(tree.glob("masks/*/*.png")))
            name = file.relative_to(tree).as_posix()
            return {name: change_png(rng, file.read_bytes())}
        data = (tree / "scores.json").read_bytes()
        return {"scores.json": change_document(rng, data, self.names)}

    def readers(self) -> tuple[Reader, ...]:
        return (self._replace, self._score, self._read_names)

    def _replace(self) -> None:
        require_replaceable(self.places.tree, self.benchmark, self.inputs)

    def _score(self) -> None:
        score_results(self.benchmark, self.places.tree / "masks", ScoringRule())

    def _read_names(self) -> None:
        assert read_names(self.places.tree / "unseen.txt")


class Submission(Subject):
    """A zip for a server, whoever made it."""

    def __init__(self, places: Places) -> None:
        super().__init__(places)
        options = write_benchmark_tree(places.outside / "set", "youtube_vos2019", split="train")
        opened = open_benchmark(options)
        first = opened.sequences[:2]
        self.benchmark = Benchmark("youtube_vos2019", "train", options.root, first)
        self.names = odd_names(str(places.outside / "set"))
        self.path = places.tree / "submission.zip"
        results = places.output / "masks"
        for sequence in first:
            for path in sequence.truth.values():
                put(results / sequence.name / path.name, path.read_bytes())
        places.tree.mkdir(parents=True, exist_ok=True)
        write_submission(self.benchmark, results, self.path)
        shutil.rmtree(results)
        self.sound = self.path.read_bytes()

    def damage(self, rng: random.Random) -> dict[str, bytes | None]:
        if rng.random() < 0.5:
            return {self.path.name: change_zip(rng, self.sound, self.names)}
        name, data = rng.choice(read_zip(self.sound))
        change = change_png if rng.random() < 0.8 else change_bytes
        return {self.path.name: change_entries(rng, self.sound, {name: change(rng, data)})}

    def readers(self) -> tuple[Reader, ...]:
        return (self._check,)

    def _check(self) -> None:
        require_lines(check_submission(self.benchmark, self.path), self.path)


def _require_record(record: SequenceRecord, task: SequenceTask) -> None:
    """Fails unless a record can be reported."""
    numbers = (record.num_frames, record.num_objects, record.height, record.width)
    assert all(type(number) is int for number in numbers), numbers
    assert record.name == task.sequence.name
    assert record.speeds
    text = {"timings": record.timings, "memory": record.memory, "speeds": record.speeds}
    json.dumps(text, allow_nan=False)
    assert isinstance(record.compilation_seconds, int | float)
