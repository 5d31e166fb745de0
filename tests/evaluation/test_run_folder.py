"""What a run keeps, does again and removes, without segmenting anything."""

import dataclasses
import json
import re
import shutil

import numpy as np
import pytest
from benchmark_trees import write_benchmark_tree
from refusals import refuse

from mavos_jax.datasets import open_benchmark
from mavos_jax.evaluation.reading import require_apart
from mavos_jax.evaluation.run_folder import RunFolder
from mavos_jax.evaluation.sequence import SequenceRecord, set_speeds
from mavos_jax.evaluation.sharing import check_sequences
from mavos_jax.media.confidence import confidence_writer
from mavos_jax.media.masks import write_mask

RUN = {"benchmark": "davis2017 val", "run": 1}
CONCLUSIONS = ("scores.json", "davis2017-val.zip")


@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    options = write_benchmark_tree(tmp_path_factory.mktemp("tree"), "davis2017")
    return check_sequences(open_benchmark(options), None)


def opened(root, run=RUN, **options):
    return RunFolder.opened(root, run, {"by": "test"}, conclusions=CONCLUSIONS, **options)


def refused(root, words, run=RUN, **options):
    with pytest.raises(ValueError, match=words), opened(root, run, **options):
        pass


def record_of(task):
    numbers, timings = (7, 2, 8, 9, 0.5), {"end-to-end": (7, 1.5)}
    return SequenceRecord(task.sequence.name, task.data, *numbers, timings, ("peak", 10**9))


def work_on(folder, task):
    masks, table, soft = folder.begin(task)
    for index in task.sequence.saved:
        name = f"{task.sequence.frame_name(index)}.png"
        write_mask(masks / name, np.full((8, 9), index % 3, np.uint8))
        write_mask(soft / "2" / name, np.full((8, 9), 200, np.uint8))
    with confidence_writer(table) as add:
        add("00000", {1: (0.75, 0.5, True)})
    folder.finish(record_of(task), task)


@pytest.fixture
def root(tasks, tmp_path):
    """A folder in which all sequences are finished."""
    with opened(tmp_path / "out") as folder:
        for task in tasks:
            work_on(folder, task)
    return tmp_path / "out"


def files(root):
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and ".claims" not in path.parts
    }


def faults(root, tasks):
    with opened(root) as folder:
        found = [folder.fault(task) for task in tasks]
        for task, fault in zip(tasks, found, strict=True):
            assert (folder.record(task) is None) == (fault is not None)
    return [fault for fault in found if fault is not None]


def test_what_was_not_finished_is_no_fault_and_goes(tmp_path, tasks):
    with opened(tmp_path) as folder:
        masks, table, soft = folder.begin(tasks[0])
        write_mask(masks / "00000.png", np.zeros((8, 9), np.uint8))
        (masks / ".00001.png.4711.partial").write_bytes(b"\x89PNG")
        table.parent.mkdir()
        (soft / "7").mkdir(parents=True)
        for path in (table, soft / "7/00000.png", soft / "7/00001.png"):
            path.with_name(f".{path.name}.4711.partial").write_text("half")
            path.write_text("whole")
        assert [folder.fault(task) for task in tasks] == [None] * 3
        assert [folder.record(task) for task in tasks] == [None] * 3
    with opened(tmp_path) as folder:
        folder.begin(tasks[0])
    for kind in ("masks/*/*", "confidence/*", "soft/*"):
        assert not list(tmp_path.glob(kind))


def zero(path):
    path.write_bytes(bytes(path.stat().st_size))


@pytest.mark.parametrize("harm", [zero, lambda path: (path.unlink(), path.mkdir())])
@pytest.mark.parametrize("name", ["masks/{}/00003.png", "confidence/{}.csv"])
def test_a_result_that_is_not_what_was_written(root, tasks, harm, name):
    path = root / name.format(tasks[1].sequence.name)
    with opened(root) as folder:
        record = folder.record(tasks[1])
        assert record is not None
        sums = {"masks": record.masks, "confidence": record.confidence}
        assert record == dataclasses.replace(record_of(tasks[1]), **sums)
        assert set(record.masks) == {f"{index:05d}" for index in range(len(record.masks))}
        harm(path)
        assert folder.record(tasks[1]) is None
    (fault,) = faults(root, tasks)
    assert str(path) in fault


def test_a_damaged_record(root, tasks):
    path = root / "sequences" / f"{tasks[1].sequence.name}.json"
    record = json.loads(path.read_text())
    others = [{**record, "name": "other"}, {**record, "data": "abc"}, {**record, "masks": {}}]
    for content in ("", "[" * 10**5, *map(json.dumps, others)):
        path.write_text(content)
        (fault,) = faults(root, tasks)
        assert str(root) in fault, content
    with opened(root) as folder:
        work_on(folder, tasks[1])
    assert faults(root, tasks) == []


@pytest.mark.parametrize(
    "content", ["", "[]", '{"identity": {}}', '{"identity": 5, "provenance": {}}']
)
def test_a_damaged_run_file(root, content):
    path = root / "run.json"
    path.write_text(content)
    before = files(root)
    refused(root, f"{re.escape(str(path))}: expected")
    assert files(root) == before
    with opened(root, overwrite=True) as folder:
        assert folder.origin() == {"by": "test"}
    assert not list(root.glob("masks/*/*"))


def test_only_what_runs_wrote_is_removed(root, tasks):
    own = {"masks/mine.png", "masks/bear/notes.txt", "masks/mine/00000.png", "other.zip", "a.csv"}
    own |= {"report.txt", "sequences/notes.txt", "confidence/mine.csv"}
    own |= {"soft/bear/2/mine.png", "soft/bear/a.txt"}
    for name in own:
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("by hand")
    for name in CONCLUSIONS:
        (root / name).write_text("concluded")
    with opened(root) as folder:
        folder.begin(tasks[1])
    assert own <= files(root).keys()
    assert not files(root).keys() & set(CONCLUSIONS)
    with opened(root, {"run": 2}, overwrite=True):
        pass
    assert files(root).keys() == own | {"run.json", ".users", ".opening"}


@pytest.mark.parametrize("name", [*CONCLUSIONS, "masks", "confidence", "soft", "sequences"])
def test_what_no_run_wrote_is_not_taken_over(tmp_path, name):
    (tmp_path / name).mkdir()
    refused(tmp_path, f"found {name} without it", overwrite=True)
    assert (tmp_path / name).is_dir()


def lead_outside(root, name):
    """Moves a file or folder out of the run's folder and leaves a link to it."""
    outside = root.parent / "outside"
    shutil.move(root / name, outside)
    (root / name).symlink_to(outside)
    return outside


@pytest.mark.parametrize("link", ["masks", "masks/bear", "confidence", "soft", "sequences"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_folders_that_lead_out_are_not_followed(root, tasks, link, overwrite):
    outside = lead_outside(root, link)
    before = files(outside)
    words = "nothing outside is written or removed"
    with pytest.raises(ValueError, match=words), opened(root, overwrite=overwrite) as folder:
        work_on(folder, tasks[0])
    assert files(outside) == before


@pytest.mark.parametrize("name", ["run.json", "masks/bear/00000.png"])
def test_a_link_is_replaced_and_not_followed(root, tasks, name):
    outside = lead_outside(root, name)
    before = outside.read_bytes()
    with opened(root, overwrite=True) as folder:
        work_on(folder, tasks[0])
    assert outside.read_bytes() == before
    assert not (root / name).is_symlink()


@pytest.mark.parametrize("name", [".users", ".opening"])
def test_a_link_is_no_lock(root, tmp_path, name):
    (root / name).unlink()
    (root / name).symlink_to(tmp_path / "outside")
    with pytest.raises(OSError, match=re.escape(str(root / name))), opened(root):
        pass
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize("file", ["sequences/bear.json", "run.json"])
def test_files_whose_names_lead_out(root, tmp_path, file):
    precious = tmp_path / "precious.png"
    precious.write_text("by hand")
    masks = {"../../../precious": None, "../../" * 3 + str(precious.with_suffix("")): None}
    changed = {"conclusions": ["../precious.png"]} if "run" in file else {"masks": masks}
    content = json.loads((root / file).read_text())
    (root / file).write_text(json.dumps({**content, **changed}))
    refused(root, "nothing outside", overwrite=True)
    assert precious.read_text() == "by hand"


def test_another_run_is_refused_and_named(root):
    refused(root, "found that run differ;", {**RUN, "run": 2})
    with opened(root):  # another process
        refused(root, "run differ", {**RUN, "run": 2})
        refused(root, "expected no other process", overwrite=True)


def test_no_sequence_touches_the_masks_of_a_nested_one(tmp_path, tasks):
    outer, inner = (
        dataclasses.replace(task, sequence=dataclasses.replace(task.sequence, name=name))
        for task, name in zip(tasks, ("birds", "birds/3"), strict=False)
    )
    with opened(tmp_path) as folder:
        work_on(folder, inner)
        for work in (work_on, RunFolder.begin):
            work(folder, outer)
            assert folder.record(inner) is not None
    with opened(tmp_path, {"run": 2}, overwrite=True):
        pass
    assert files(tmp_path).keys() == {"run.json", ".users", ".opening"}


def test_speeds_over_frames_and_over_sequences_of_the_protocols_that_all_have(tasks):
    short, long = (
        dataclasses.replace(record_of(tasks[0]), timings=timings)
        for timings in ({"aot": (10, 1.0), "xmem": (11, 1.0)}, {"aot": (30, 1.0)})
    )
    all_sequences = 1 / ((1 / 10 + 1 / 30) / 2)
    assert set_speeds([short, long]) == {"aot": pytest.approx((40 / 2, all_sequences))}
    assert set_speeds([]) == {}


def test_results_do_not_lie_among_frames_or_masks(tmp_path):
    benchmark = open_benchmark(write_benchmark_tree(tmp_path / "set", "davis2017"))
    frames = benchmark.sequences[0].frames[0].parent
    link = tmp_path / "link"
    link.symlink_to(frames)
    masks, words = tmp_path / "set/Annotations", "outside of .*(JPEGImages|Annotations)"
    for place in (frames, frames / "out", frames.parents[1], masks / "out", link):
        refuse(f"{place}: .* {words}", require_apart, benchmark, place)
    for place in (tmp_path / "out", tmp_path / "set", tmp_path / "set/out"):
        require_apart(benchmark, place)
