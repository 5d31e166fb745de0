import dataclasses
import json
import operator
import pickle
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
from benchmark_trees import write_mask, write_source, write_videos
from programs import Program

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


def assert_equal(videos, others):
    assert len(videos) == len(others)
    for index in range(len(videos)):
        assert videos[index].name.partition(": ")[2] == others[index].name.partition(": ")[2]
        for frame in range(len(videos[index])):
            for one, other in zip(videos[index][frame], others[index][frame], strict=True):
                np.testing.assert_array_equal(one, other)
            np.testing.assert_array_equal(videos[index].mask(frame), others[index].mask(frame))
        assert len(videos[index]) == len(others[index])


@pytest.fixture
def source(tmp_path):
    return write_source(tmp_path / "set", "youtube_vos")


@pytest.mark.parametrize("kind", TRAINING_KINDS)
def test_records_give_the_samples_of_the_files(tmp_path, capsys, kind):
    source = dataclasses.replace(write_source(tmp_path / "set", kind), max_gap=9)
    prepare.main(words(source, tmp_path / "records"))
    files = open_files(source)
    prepared = open_records(recorded(source, tmp_path / "records"))
    assert_equal(files, prepared)
    assert_equal(files, pickle.loads(pickle.dumps(prepared)))
    assert type(open_source(recorded(source, tmp_path / "records"))) is type(prepared)
    assert prepared.fingerprint() == files.fingerprint()
    assert prepared.num_left_out == files.num_left_out
    assert (prepared.max_gap, prepared.is_static) == (9, kind == "static")
    left_out = f", {files.num_left_out} left out" if files.num_left_out else ""
    captured = capsys.readouterr()
    assert captured.out.startswith(f"prepared {kind} {source.split}: {len(files)} videos{left_out}")
    assert captured.out.count("\n") == 1
    assert captured.err == ""


def test_a_record_says_everything_that_reading_needs(tmp_path, source):
    prepare.main(words(source, tmp_path))
    prepared = open_records(recorded(source, tmp_path))
    by_name = {r["name"].decode(): r for r in (prepared._source[place] for place in range(3))}
    record = by_name["dog-2"]
    assert (record["start"], record["size"].tolist()) == (0, [64, 96])
    assert (list(record["ids"]), list(by_name["bear"]["ids"])) == ([2, 5, 7], [1, 2])
    assert record["frame_names"] == [b"%05d.jpg" % t for t in range(2, 12, 2)]
    files = open_files(source).sequences[1]
    assert record["frames"] == [files.frame(i).data for i in range(5)]
    assert record["masks"] == [files.mask(i).data for i in range(5)]


def test_long_videos_take_several_records(tmp_path, monkeypatch):
    write_videos(tmp_path / "set", {"long": 7, "even": 6, "short": 2})
    source = SourceConfig(kind="folder", root=str(tmp_path / "set"))
    for module in (records, records_writing):
        monkeypatch.setattr(module, "FRAMES_PER_RECORD", 3)
    monkeypatch.setattr(records, "_NUM_CACHED", 2)
    prepare.main(words(source, tmp_path))
    prepared = open_records(recorded(source, tmp_path))
    assert [len(video.records) for video in prepared.index.videos] == [2, 3, 1]
    assert_equal(open_source(source), prepared)
    video = prepared[1]
    for _ in range(3):
        assert [video[i].mask.any() for i in (6, 0, 3)] == [True] * 3
        assert isinstance(video.files, records.RecordedFrames)
        assert len(video.files._cache) == 2


def test_threads_may_share_a_video(tmp_path, monkeypatch):
    write_videos(tmp_path / "set", {"long": 12})
    source = SourceConfig(kind="folder", root=str(tmp_path / "set"))
    for module in (records, records_writing):
        monkeypatch.setattr(module, "FRAMES_PER_RECORD", 2)
    prepare.main(words(source, tmp_path))
    video = open_source(recorded(source, tmp_path))[0]
    expected = [open_source(source)[0].mask(index) for index in range(12)]
    wrong = []

    def read(seed):
        for index in np.random.default_rng(seed).integers(0, 12, 30):
            if not np.array_equal(video.mask(int(index)), expected[index]):
                wrong.append(index)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_one_folder_takes_several_sets(tmp_path, source):
    other = write_source(tmp_path / "davis", "davis2017")
    for one in (source, other):
        prepare.main(words(one, tmp_path / "records"))
    for one in (source, other):
        assert_equal(open_source(one), open_source(recorded(one, tmp_path / "records")))


def test_records_are_replaced_only_when_asked(tmp_path, source, capsys):
    output = tmp_path / "records"
    prepare.main(words(source, output))
    capsys.readouterr()
    before = open_source(recorded(source, output)).fingerprint()
    path = open_files(source).sequences[0].frames[0]
    path.write_bytes(path.read_bytes() + b"\0")
    assert "give --overwrite" in run.fail(capsys, *words(source, output))
    assert open_source(recorded(source, output)).fingerprint() == before
    prepare.main(words(source, output, "--overwrite"))
    assert open_source(recorded(source, output)).fingerprint() != before
    assert [child.name for child in output.iterdir()] == ["youtube_vos"]


@pytest.mark.parametrize("damage", ["missing", "cut", "size"])
def test_a_damaged_set_is_not_prepared(tmp_path, source, capsys, damage):
    path = open_files(source).sequences[1].mask_path(1)
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:10])
    else:
        write_mask(path, np.zeros((5, 6), np.uint8))
    assert str(path) in run.fail(capsys, *words(source, tmp_path / "records"))
    assert list((tmp_path / "records").iterdir()) == []


def test_what_is_no_records_is_not_overwritten(tmp_path, source, capsys):
    folder = tmp_path / "youtube_vos" / "train"
    (folder / "JPEGImages").mkdir(parents=True)
    (folder / "JPEGImages" / "notes.txt").write_text("by hand")
    error = run.fail(capsys, *words(source, tmp_path, "--overwrite"))
    assert f"{folder}: expected records alone to overwrite, found JPEGImages" in error
    assert (folder / "JPEGImages" / "notes.txt").exists()


def test_bad_input_is_one_line(tmp_path, source, capsys):
    def error(**changes):
        return run.fail(
            capsys, *words(dataclasses.replace(source, **changes), tmp_path / "records")
        )

    assert "found nothing" in error(root=str(tmp_path / "none"))
    assert "under it, found 2019" in error(split="val")
    assert "JPEGImages" in error(kind="mose", root=str(tmp_path))
    assert "found 'synthetic'" in error(kind="synthetic")
    assert "--output" in run.fail(capsys, *["--kind", "mose", "--root", str(tmp_path)])
    assert "--kind" in run.fail(capsys, *["--kind", "kinetics", "--root", "a", "--output", "b"])
    assert "--overwrit" in run.fail(capsys, *words(source, tmp_path, "--overwrit"))
    (tmp_path / "file").write_text("")
    assert str(tmp_path / "file") in run.fail(capsys, *words(source, tmp_path / "file"))


def test_a_killed_run_leaves_nothing_that_looks_complete(tmp_path, source, capsys):
    program = (
        "import os, sys\n"
        "from mavos_jax.commands import prepare\n"
        "from mavos_jax.datasets import records_writing\n"
        "records_writing.write_index = lambda *_: os.kill(os.getpid(), 9)\n"
        "prepare.main(sys.argv[1:])\n"
    )
    command = [sys.executable, "-W", "error", "-c", program, *words(source, tmp_path / "records")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (-signal.SIGKILL, "")
    with pytest.raises(ValueError, match="expected the index of prepared records"):
        open_source(recorded(source, tmp_path / "records"))
    prepare.main(words(source, tmp_path / "records"))
    assert_equal(open_source(source), open_source(recorded(source, tmp_path / "records")))


def test_files_that_change_while_they_are_prepared_are_noticed(tmp_path, source, monkeypatch):
    path = open_files(source).sequences[0].mask_path(0)
    build = records_writing._build

    def build_and_change(*arguments):
        folder = build(*arguments)
        path.write_bytes(path.read_bytes() + b"\0")
        return folder

    monkeypatch.setattr(records_writing, "_build", build_and_change)
    with pytest.raises(ValueError, match="did the files change meanwhile"):
        records_writing.write_records(open_files(source), tmp_path / "o", "youtube_vos", "train")
    assert list((tmp_path / "o").iterdir()) == []


def test_records_that_are_not_there_or_damaged(tmp_path, source, capsys):
    with pytest.raises(ValueError, match=r"index\.json: .*python -m mavos_jax\.commands\.prepare"):
        open_source(recorded(source, tmp_path))
    prepare.main(words(source, tmp_path))
    folder = tmp_path / "youtube_vos" / "train" / "1.0.0"
    index = folder / "index.json"
    content = index.read_text()
    changed = json.loads(content)
    changed["videos"][0][-1], changed["videos"][1][-1] = [1], [1]
    index.write_text(json.dumps(changed))
    videos = open_source(recorded(source, tmp_path))
    with pytest.raises(DamagedSample, match=r"frames of (bear|dog-2) from 0 .* record 1"):
        list(map(operator.itemgetter(0), (videos[0], videos[1])))
    wrong = {"form": "other", "is_static": 1, "num_left_out": "0", "videos": [[]]}
    for text in [content[:50], "[]", *(json.dumps({**changed, k: v}) for k, v in wrong.items())]:
        index.write_text(text)
        with pytest.raises(ValueError, match=r"index\.json: .*prepare the records again"):
            open_source(recorded(source, tmp_path))
    for column, value in enumerate([5, ["0"], ["1"], [], [1.5], [-1]]):
        changed["videos"][0] = json.loads(content)["videos"][0]
        changed["videos"][0][column] = value
        index.write_text(json.dumps(changed))
        with pytest.raises(ValueError, match=r"index\.json: .*prepare the records again"):
            open_source(recorded(source, tmp_path))
    index.write_text(content)
    (shard,) = folder.glob("*array_record*")
    shard.write_bytes(shard.read_bytes()[:100])
    with pytest.raises(DamagedSample, match=r"expected record \d of bear, found"):
        open_source(recorded(source, tmp_path))[0].mask(0)


def test_records_name_the_package_that_is_missing(tmp_path, source, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(ValueError, match=r'pip install "mavos_jax\[tfds\]"'):
        open_source(recorded(source, tmp_path))
    with pytest.raises(ValueError, match=r'pip install "mavos_jax\[tfds\]"'):
        prepare.main(words(source, tmp_path / "o"))


def test_a_split_of_any_name_has_a_folder(tmp_path):
    write_videos(tmp_path / "set/my split.1/a", {"bike": 2})
    source = SourceConfig(kind="folder", root=str(tmp_path / "set"), split="my split.1/a")
    prepare.main(words(source, tmp_path))
    assert (tmp_path / "folder" / "my_split_1_a" / "1.0.0").is_dir()
    assert_equal(open_source(source), open_source(recorded(source, tmp_path)))
