"""Frames that are missing and sequences without labels are said, not skipped."""

import dataclasses
import json
import shutil

import pytest
from benchmark_trees import write_benchmark_tree

from mavos_jax.datasets import check_benchmark, open_benchmark


def fails(options, *words):
    """Opening names the fault in one line, which the check has, too."""
    with pytest.raises(ValueError, match=r": expected .*found") as error:
        open_benchmark(options)
    message = str(error.value)
    for word in words:
        assert word in message
    assert check_benchmark(options).count(message) == 1


@pytest.mark.parametrize(
    ("dataset", "split"),
    [
        ("davis2016", "val"),
        ("davis2017", "val"),
        ("lvos1", "valid"),
        ("lvos2", "valid"),
        ("youtube_vos2019", "train"),
        ("mose", "train"),
        ("folder", "val"),
        ("long_time_video", "val"),
    ],
)
@pytest.mark.parametrize("missing", [(3,), (-2, -1)])
def test_a_labelled_frame_that_is_missing(tmp_path, dataset, split, missing):
    options = write_benchmark_tree(tmp_path, dataset, split=split)
    sequence = open_benchmark(options).sequences[0]
    labelled = sorted(sequence.truth)
    for index in missing:
        sequence.frames[labelled[index]].unlink()
    first = sequence.truth[labelled[missing[0]]]
    if dataset.startswith(("lvos", "youtube")):
        # Their metadata list the frame.
        fails(options, f"{sequence.frames[0].parent}: expected the frames", first.stem)
    else:
        fails(options, f"{first}: expected the name of a frame in {sequence.frames[0].parent}")


def test_a_labelled_frame_that_is_missing_and_not_listed(tmp_path):
    for dataset in ("lvos2", "youtube_vos2018"):
        options = write_benchmark_tree(tmp_path, dataset, split="train")
        folder = tmp_path / ("train" if dataset == "lvos2" else "2018/train")
        masks = folder / "Annotations" / "bear"
        shutil.copy(next(masks.iterdir()), masks / "00000999.png")
        fails(options, f"{masks / '00000999.png'}: expected the name of a frame")


def test_a_frame_of_full_resolution_that_is_missing(tmp_path):
    options = write_benchmark_tree(tmp_path, "davis2017", resolution="full_to_480p")
    (tmp_path / "JPEGImages/Full-Resolution/bear/00002.jpg").unlink()
    (tmp_path / "Annotations/Full-Resolution/bear/00002.png").unlink()
    fails(options, f"{tmp_path}/Annotations/480p/bear/00002.png: expected the name of a frame")


@pytest.mark.parametrize(
    ("dataset", "split"), [("davis2017", "test-dev"), ("mose", "valid"), ("lvos2", "test")]
)
def test_a_number_left_out_of_the_frames(tmp_path, dataset, split):
    options = write_benchmark_tree(tmp_path, dataset, split=split)
    (tmp_path / "test_meta.json").unlink(missing_ok=True)  # which lists the frames
    path = open_benchmark(options).sequences[0].frames[3]
    path.unlink()
    fails(options, f"{path}: expected a frame between its neighbours, found no such file")


def test_a_number_left_out_of_all_frames(tmp_path):
    options = write_benchmark_tree(tmp_path, "youtube_vos2019", all_frames=True)
    path = open_benchmark(options).sequences[0].frames[3]
    path.unlink()
    fails(options, f"{path}: expected a frame between its neighbours")
    # Without the package, frames between the listed ones are not there at all.
    open_benchmark(dataclasses.replace(options, all_frames=False))


def keep_first_mask(options, name):
    sequence = next(s for s in open_benchmark(options).sequences if s.name == name)
    for index, path in sequence.truth.items():
        if index not in sequence.given:
            path.unlink()


@pytest.mark.parametrize(
    ("dataset", "split"),
    [
        ("davis2017", "val"),
        ("lvos2", "valid"),
        ("youtube_vos2018", "train"),
        ("mose", "train"),
        ("folder", "val"),
    ],
)
def test_a_sequence_without_labels_among_others(tmp_path, dataset, split):
    options = write_benchmark_tree(tmp_path, dataset, split=split)
    keep_first_mask(options, "bear")
    fails(options, "of all 3 sequences", "found none of 1: bear; restore them")
    assert open_benchmark(dataclasses.replace(options, sequences=("dog-2", "dog-10"))).has_truth


def test_no_labels_at_all_where_they_are_public(tmp_path):
    options = write_benchmark_tree(tmp_path, "davis2017")
    for name in ("bear", "dog-2", "dog-10"):
        keep_first_mask(dataclasses.replace(options, sequences=(name,)), name)
    fails(options, "found none of 3: bear, dog-2, dog-10")
    hidden = write_benchmark_tree(tmp_path / "hidden", "mose", split="valid")
    assert not open_benchmark(hidden).has_truth


def test_metadata_that_contradict_themselves(tmp_path):
    options = write_benchmark_tree(tmp_path, "lvos2")
    path = tmp_path / "valid_meta.json"
    meta = json.loads(path.read_text())
    objects = meta["videos"]["bear"]["objects"]
    assert objects["1"]["frame_range"]["frame_nums"] == "5"
    for number, found in ((5, []), (6, []), (7, ["7"]), (4, ["4"])):
        objects["1"]["frame_range"]["frame_nums"] = number
        path.write_text(json.dumps(meta))
        assert open_benchmark(options).sequences[0].declared_frames[1] == number
        words = f"{path}: expected frame_nums of 5, or 6 with the end, for object 1 of bear"
        assert [words in line for line in check_benchmark(options)] == [True] * len(found)
    del objects["1"]["frame_range"]["frame_nums"]
    path.write_text(json.dumps(meta))
    assert sorted(open_benchmark(options).sequences[0].declared_frames) == [2]
    objects["1"]["frame_range"]["frame_nums"] = "many"
    path.write_text(json.dumps(meta))
    fails(options, f"{path}: expected videos", "many")


@pytest.mark.parametrize("dataset", ["davis2017", "long_time_video"])
def test_a_name_that_is_listed_twice(tmp_path, dataset):
    options = write_benchmark_tree(tmp_path, dataset)
    (path,) = (tmp_path / "ImageSets").rglob("val.txt")
    names = [sequence.name for sequence in open_benchmark(options).sequences]
    path.write_text(path.read_text() + f"{names[0]}\n")
    assert [sequence.name for sequence in open_benchmark(options).sequences] == names
    (line,) = check_benchmark(options)
    assert line.startswith(f"{path}: expected each name once, found {names[0]} 2 times")


def test_a_list_that_is_no_text(tmp_path):
    options = write_benchmark_tree(tmp_path, "davis2017")
    path = tmp_path / "ImageSets/2017/val.txt"
    path.write_bytes("b\u00e4r\n".encode("latin-1"))
    fails(options, f"{path}: expected a text in UTF-8, found other bytes", "at 1); save it as")


@pytest.mark.parametrize("quality", [95, 30])
def test_frames_that_are_cut_off(tmp_path, quality):
    options = write_benchmark_tree(tmp_path, "davis2017")
    path = open_benchmark(options).sequences[0].frames[quality % 4]
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    (line,) = check_benchmark(options)
    assert line.startswith(f"{path}: expected an image that can be decoded, found: ")
    assert "truncated" in line
