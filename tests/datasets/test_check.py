"""A check names every missing or odd file in a line of its own."""

import dataclasses
import os
import shutil

import numpy as np
import pytest
from benchmark_trees import write_benchmark_tree, write_mask
from datasets.seen import change_json, read
from datasets.tree_videos import LATE_VIDEOS
from PIL import Image, ImageFilter

from mavos_jax.datasets import check_benchmark, open_benchmark


@pytest.fixture
def davis(tmp_path):
    return write_benchmark_tree(tmp_path, "davis2017")


@pytest.fixture
def frames(tmp_path):
    return tmp_path / "JPEGImages/480p/bear"


@pytest.fixture
def masks(tmp_path):
    return tmp_path / "Annotations/480p/bear"


def finds(options, *faults):
    """The check gives exactly these faults: a file and words of its line each, in any order."""
    lines = check_benchmark(options)
    assert all("\n" not in line for line in lines)
    for path, words in faults:
        found = [line for line in lines if line.startswith(f"{path}: expected") and words in line]
        assert len(found) == 1, (path, words, lines)
        lines.remove(found[0])
    assert lines == []


def save(path, values):
    Image.fromarray(values).save(path)


def test_every_fault_has_a_line(davis, frames, masks):
    (masks / "00002.png").unlink()
    os.truncate(frames / "00000.jpg", 900)
    (frames / "00004.jpg").unlink()
    (frames / "00005.jpg").write_text("nothing")
    save(masks / "00003.png", np.zeros((24, 32), np.uint8))
    shutil.rmtree(frames.with_name("dog-2"))
    finds(
        davis,
        (masks / "00002.png", "the mask of a frame, found no such file"),
        (frames / "00000.jpg", "truncated"),
        (masks / "00004.png", "the name of a frame"),
        (frames / "00005.jpg", "no known image format"),
        (masks / "00003.png", "found 24 x 32"),
        (masks, "found none for 1: 00002"),
        (frames.with_name("dog-2"), "the frames of dog-2"),
    )


def test_a_frame_of_another_size(davis, frames, masks):
    save(frames / "00001.jpg", np.zeros((40, 60, 3), np.uint8))
    finds(
        davis,
        (frames / "00001.jpg", "48 x 64 (height x width) as most frames of bear, found 40 x 60"),
        (masks / "00001.png", "expected a mask of 40 x 60"),
    )


def test_masks_of_the_wrong_kind(davis, masks):
    save(masks / "00004.png", np.uint8(255) * (read(masks / "00004.png") > 0))
    os.truncate(masks / "00005.png", 200)
    (masks / "00006.png").rename(masks / "00006.jpg")
    finds(
        davis,
        (masks / "00004.png", "only 0 and 255"),
        (masks / "00005.png", "can be decoded"),
        (masks / "00006.jpg", "a file of another kind"),
    )


def test_smoothed_masks_of_binary_sets(tmp_path, masks):
    options = write_benchmark_tree(tmp_path, "davis2016")
    grey = Image.fromarray(np.uint8(90) * np.minimum(read(masks / "00003.png"), 2))
    grey.filter(ImageFilter.GaussianBlur(1)).save(masks / "00003.png")
    finds(options, (masks / "00003.png", "one id per object, found"))


@pytest.mark.parametrize("dataset", ["davis2016", "davis2017", "long_time_video", "mose"])
def test_empty_masks_are_odd_where_objects_start(tmp_path, dataset):
    options = write_benchmark_tree(tmp_path, dataset)
    sequence = open_benchmark(options).sequences[0]
    for path in {sequence.given[0].path, *list(sequence.truth.values())[-1:]}:
        write_mask(path, np.zeros_like(read(path)))
    finds(options, (sequence.given[0].path, "at least one object"))


def test_the_metadata_of_another_set(tmp_path):
    options = write_benchmark_tree(tmp_path, "youtube_vos2019")
    path = tmp_path / "2019/valid/meta.json"
    with change_json(path) as meta:
        del meta["videos"]["dog-10"]
        objects = meta["videos"]["dog-2"]["objects"]
        objects["9"] = objects.pop("7")
        objects["2"]["frames"].append("00077")
    frames, masks = path.with_name("JPEGImages"), path.with_name("Annotations")
    finds(
        options,
        (frames / "dog-10", f"a sequence of {path}"),
        (masks / "dog-10", f"a sequence of {path}"),
        (frames / "dog-2/00077.jpg", f"the frame that {path} lists"),
        (frames / "dog-2", "none for 1: 00077"),
        (masks / "dog-2/00002.png", "(2, 5, 9), found 7;"),
        (masks / "dog-2/00002.png", "expected object 9, which"),
        (masks / "dog-2/00006.png", "(2, 5, 9), found 7;"),
    )
    finds(dataclasses.replace(options, sequences=("bear",)))


@pytest.mark.parametrize("number", [5, 6, 7, 4, None])
def test_metadata_that_contradict_themselves(tmp_path, number):
    options = write_benchmark_tree(tmp_path, "lvos2")
    path = tmp_path / "valid_meta.json"
    with change_json(path) as meta:
        listed = meta["videos"]["bear"]["objects"]["1"]["frame_range"]
        assert listed.pop("frame_nums") == "5"
        if number is not None:
            listed["frame_nums"] = number
    assert open_benchmark(options).sequences[0].declared_frames.get(1) == number
    words = f"start and end, found {number}"
    finds(options, *([] if number in (5, 6, None) else [(path, words)]))


@pytest.mark.parametrize("dataset", ["davis2017", "long_time_video"])
def test_a_name_that_is_listed_twice(tmp_path, dataset):
    options = write_benchmark_tree(tmp_path, dataset)
    (path,) = (tmp_path / "ImageSets").rglob("val.txt")
    names = [sequence.name for sequence in open_benchmark(options).sequences]
    path.write_text(path.read_text() + f"{names[0]}\n")
    assert [sequence.name for sequence in open_benchmark(options).sequences] == names
    finds(options, (path, f"found {names[0]} 2 times"))


def test_masks_without_frames(tmp_path):
    for dataset in ("mose", "folder"):
        options = write_benchmark_tree(tmp_path / dataset, dataset)
        masks = open_benchmark(options).sequences[1].given[0].path.parent
        shutil.copytree(masks, masks.with_name("horse"))
        # MOSE's videos are those of either folder.
        place = masks.parent.with_name("JPEGImages") if dataset == "mose" else masks.parent
        finds(options, (place / "horse", "found no"))


def test_masks_at_480p_have_their_own_size(tmp_path, masks):
    options = write_benchmark_tree(tmp_path, "davis2017", resolution="full_to_480p")
    finds(options)
    write_mask(masks / "00002.png", LATE_VIDEOS[0].mask(2))
    finds(options, (masks / "00002.png", "480 x 640 (height x width) as its frame, found 48 x 64"))


def test_progress(davis):
    steps = []
    check_benchmark(davis, lambda done, total: steps.append((done, total)))
    assert steps == [(0, 3), (1, 3), (2, 3), (3, 3)]
