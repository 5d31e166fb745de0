import dataclasses
import json
import operator
import pickle
import signal
import sys
from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np
import pytest
from benchmark_trees import write_source, write_videos
from programs import Program, run_python
from refusals import refuse

from mavos_jax.commands import prepare
from mavos_jax.config.data import SourceConfig
from mavos_jax.datasets import TRAINING_KINDS, DamagedSample, open_source, records, records_writing
from mavos_jax.datasets.opening import open_files
from mavos_jax.datasets.records import open_records

run = Program(prepare.main, is_silent=True)


def words(source, output, *more):
    named = {"kind": source.kind, "root": source.root, "split": source.split, "output": output}
    return [*(word for name, value in named.items() for word in (f"--{name}", str(value))), *more]


def recorded(source, output):
    return dataclasses.replace(source, root=str(output), format="records")


def prepared(source, output, *more):
    prepare.main(words(source, output, *more))
    return open_records(recorded(source, output))


def assert_equal(videos, others):
    assert len(videos) == len(others)
    for video, other in ((videos[index], others[index]) for index in range(len(videos))):
        assert video.name.partition(": ")[2] == other.name.partition(": ")[2]
        assert len(video) == len(other)
        for frame in range(len(video)):
            jax.tree.map(np.testing.assert_array_equal, video[frame], other[frame])
            np.testing.assert_array_equal(video.mask(frame), other.mask(frame))


@pytest.fixture
def source(tmp_path):
    return write_source(tmp_path / "set", "youtube_vos")


@pytest.mark.parametrize("kind", TRAINING_KINDS)
def test_records_give_the_samples_of_the_files(tmp_path, capsys, kind):
    source = dataclasses.replace(write_source(tmp_path / "set", kind), max_gap=9)
    files, found = open_files(source), prepared(source, tmp_path / "records")
    assert_equal(files, found)
    assert_equal(files, pickle.loads(pickle.dumps(found)))
    assert type(open_source(recorded(source, tmp_path / "records"))) is type(found)
    assert found.fingerprint() == files.fingerprint()
    assert found.num_left_out == files.num_left_out
    assert (found.max_gap, found.is_static) == (9, kind == "static")
    left_out = f", {files.num_left_out} left out" if files.num_left_out else ""
    captured = capsys.readouterr()
    assert captured.out.startswith(f"prepared {kind} {source.split}: {len(files)} videos{left_out}")
    assert captured.out.count("\n") == 1
    assert captured.err == ""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of videos of several records each."""
    write_videos(tmp_path / "set", {"long": 7, "even": 6, "short": 2})
    monkeypatch.setattr(records, "FRAMES_PER_RECORD", 3)
    monkeypatch.setattr(records, "_NUM_CACHED", 2)
    return SourceConfig(kind="folder", root=str(tmp_path / "set"))


def test_long_videos_take_several_records(tmp_path, folder):
    found = prepared(folder, tmp_path)
    assert [len(video.records) for video in found.index.videos] == [2, 3, 1]
    assert_equal(open_source(folder), found)
    video = found[1]
    for _ in range(3):
        assert [video[i].mask.any() for i in (6, 0, 3)] == [True] * 3
        assert isinstance(video.files, records.RecordedFrames)
        assert video.files._record.cache_info().currsize == 2


def test_threads_may_share_a_video(tmp_path, folder):
    video = prepared(folder, tmp_path)[1]
    expected = [open_source(folder)[1].mask(index) for index in range(7)]

    def is_right(index):
        return np.array_equal(video.mask(int(index)), expected[index])

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(is_right, np.random.default_rng(0).integers(0, 7, 120)))


def test_records_are_replaced_only_when_asked(tmp_path, source, capsys):
    output = tmp_path / "records"
    before = prepared(source, output).fingerprint()
    capsys.readouterr()
    path = open_files(source).sequences[0].frames[0]
    path.write_bytes(path.read_bytes() + b"\0")
    assert "give --overwrite" in run.fail(capsys, *words(source, output))
    assert open_source(recorded(source, output)).fingerprint() == before
    assert prepared(source, output, "--overwrite").fingerprint() != before
    assert [child.name for child in output.iterdir()] == ["youtube_vos"]


def test_a_damaged_set_is_not_prepared(tmp_path, source, capsys):
    path = open_files(source).sequences[1].mask_path(1)
    path.write_bytes(path.read_bytes()[:10])
    assert str(path) in run.fail(capsys, *words(source, tmp_path / "records"))
    assert list((tmp_path / "records").iterdir()) == []


def test_what_is_no_records_is_not_overwritten(tmp_path, source, capsys):
    folder = tmp_path / "youtube_vos" / "train"
    (folder / "JPEGImages").mkdir(parents=True)
    (folder / "JPEGImages" / "notes.txt").write_text("by hand")
    error = run.fail(capsys, *words(source, tmp_path, "--overwrite"))
    assert f"{folder}: expected records alone to overwrite, found JPEGImages" in error
    assert (folder / "JPEGImages" / "notes.txt").exists()


@pytest.mark.parametrize(
    ("change", "found"),
    [("--kind synthetic", "found 'synthetic'"), ("--output {}/file", "{}/file")],
)
def test_bad_input_is_one_line(tmp_path, source, capsys, change, found):
    (tmp_path / "file").touch()
    command = [*words(source, tmp_path / "records"), *change.format(tmp_path).split()]
    assert found.format(tmp_path) in run.fail(capsys, *command)


def test_a_killed_run_leaves_nothing_that_looks_complete(tmp_path, source):
    program = (
        "import os, sys\n"
        "from mavos_jax.commands import prepare\n"
        "from mavos_jax.datasets import records\n"
        "records.write_index = lambda *_: os.kill(os.getpid(), 9)\n"
        "prepare.main(sys.argv[1:])\n"
    )
    command = ["-W", "error", "-c", program, *words(source, tmp_path / "records")]
    assert run_python(*command, code=-signal.SIGKILL)[1] == ""
    refuse("expected the index of", open_source, recorded(source, tmp_path / "records"))
    assert_equal(open_source(source), prepared(source, tmp_path / "records"))


def test_files_that_change_while_they_are_prepared_are_noticed(tmp_path, source, monkeypatch):
    path = open_files(source).sequences[0].mask_path(0)
    build = records_writing._build

    def build_and_change(*arguments):
        folder = build(*arguments)
        path.write_bytes(path.read_bytes() + b"\0")
        return folder

    monkeypatch.setattr(records_writing, "_build", build_and_change)
    arguments = open_files(source), tmp_path / "o", "youtube_vos", "train"
    refuse("did the files change meanwhile", records_writing.write_records, *arguments)
    assert list((tmp_path / "o").iterdir()) == []


def test_records_that_are_not_there_or_damaged(tmp_path, source):
    stored = recorded(source, tmp_path)
    refuse(r"index\.json: .*python -m mavos_jax\.commands\.prepare", open_source, stored)
    prepare.main(words(source, tmp_path))
    folder = tmp_path / "youtube_vos" / "train" / "1.0.0"
    index = folder / "index.json"
    content = index.read_text()
    changed = json.loads(content)
    changed["videos"][0][-1], changed["videos"][1][-1] = [1], [1]
    index.write_text(json.dumps(changed))
    videos = open_source(stored)
    for number, name in enumerate(("bear", "dog-2")):
        with pytest.raises(DamagedSample, match=rf"frames of {name} from 0 .* record 1"):
            operator.itemgetter(0)(videos[number])
    wrong = {"form": "other", "is_static": 1, "num_left_out": "0", "videos": [[]]}
    texts = [content[:50], "[]", *(json.dumps({**changed, k: v}) for k, v in wrong.items())]
    for column, value in enumerate([5, ["0"], ["1"], [], [1.5], [-1]]):
        changed["videos"][0] = json.loads(content)["videos"][0]
        changed["videos"][0][column] = value
        texts.append(json.dumps(changed))
    for text in texts:
        index.write_text(text)
        refuse(r"index\.json: .*prepare the records again", open_source, stored)
    index.write_text(content)
    (shard,) = folder.glob("*array_record*")
    shard.write_bytes(shard.read_bytes()[:100])
    with pytest.raises(DamagedSample, match=r"expected record \d of bear, found"):
        open_source(stored)[0].mask(0)


def test_records_name_the_package_that_is_missing(tmp_path, source, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    fix = r'pip install "mavos_jax\[tfds\]"'
    refuse(fix, open_source, recorded(source, tmp_path))
    refuse(fix, prepare.main, words(source, tmp_path / "o"))


def test_a_split_of_any_name_has_a_folder(tmp_path):
    write_videos(tmp_path / "set/my split.1/a", {"bike": 2})
    source = SourceConfig(kind="folder", root=str(tmp_path / "set"), split="my split.1/a")
    assert_equal(open_source(source), prepared(source, tmp_path))
    assert (tmp_path / "folder" / "my_split_1_a" / "1.0.0").is_dir()
