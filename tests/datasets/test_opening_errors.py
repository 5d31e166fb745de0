"""What is wrong with a data set is said in one line that names the place."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from benchmark_trees import write_benchmark_tree, write_mask
from datasets.tree_videos import LATE_VIDEOS

from mavos_jax.datasets import DATASETS, check_benchmark, open_benchmark


def fails(options, *words):
    with pytest.raises(ValueError, match=r": expected .*found") as error:
        open_benchmark(options)
    message = str(error.value)
    assert "\n" not in message
    for word in words:
        assert word in message
    assert message in check_benchmark(options)


@pytest.mark.parametrize("dataset", DATASETS)
def test_a_wrong_root(tmp_path, dataset):
    options = write_benchmark_tree(tmp_path / "set", dataset)
    fails(dataclasses.replace(options, root=tmp_path / "none"), "none: expected the folder")
    (tmp_path / "other" / "photos").mkdir(parents=True)
    fails(dataclasses.replace(options, root=tmp_path / "other"), str(tmp_path / "other"))


@pytest.mark.parametrize("dataset", DATASETS)
def test_an_unknown_sequence(tmp_path, dataset):
    options = write_benchmark_tree(tmp_path, dataset)
    named = [s.name for s in open_benchmark(options).sequences]
    fails(
        dataclasses.replace(options, sequences=(named[0], "cat")),
        f"found no cat among {len(named)}: {', '.join(named)}",
    )


@pytest.mark.parametrize("dataset", DATASETS)
def test_a_sequence_without_frames_or_masks(tmp_path, dataset):
    options = write_benchmark_tree(tmp_path, dataset)
    sequence = open_benchmark(options).sequences[1]
    if dataset != "sav":  # whose objects are those that have a folder
        shutil.rmtree(sequence.given[0].path.parent)
        fails(options, str(sequence.given[0].path.parent), "the first ", "found no")
    for path in sequence.frames[0].parent.iterdir():
        path.unlink()
    fails(options, str(sequence.frames[0].parent), "expected the frames of", "an empty folder")


@pytest.mark.parametrize(
    ("dataset", "field", "value"),
    [
        ("mose", "masks_root", "elsewhere"),
        ("lvos1", "resolution", "full"),
        ("davis2017", "all_frames", True),
        ("davis2017", "short_edge", 0),
    ],
)
def test_options_that_do_not_fit(tmp_path, dataset, field, value):
    options = write_benchmark_tree(tmp_path, dataset)
    value = tmp_path / value if field == "masks_root" else value
    fails(dataclasses.replace(options, **{field: value}), f"{field}: expected", f"found {value}")


def test_davis(tmp_path):
    options = write_benchmark_tree(tmp_path, "davis2017")
    fails(dataclasses.replace(options, split="trian"), "2017/trian.txt: expected the list")
    fails(dataclasses.replace(options, resolution="full"), "Full-Resolution or 1080p", "found 480p")
    fails(dataclasses.replace(options, masks_root=tmp_path / "none"), "none: expected the folder")
    masks = tmp_path / "Annotations" / "480p" / "bear"
    (masks / "00003.png").rename(masks / "3.png")
    fails(options, f"{masks}: expected masks of all 7 frames", "none for 1: 00003")
    (masks / "00000.png").unlink()
    fails(options, f"{masks / '00000.png'}: expected the mask of the first frame")
    path = tmp_path / "ImageSets" / "2017" / "val.txt"
    path.write_text("bear\nrhino\n")
    fails(dataclasses.replace(options, sequences=("rhino",)), "480p/rhino: expected the frames of")
    path.write_text("\n")
    fails(options, f"{path}: expected names", "an empty list")


def test_youtube_vos(tmp_path):
    options = write_benchmark_tree(tmp_path, "youtube_vos2019")
    folder = tmp_path / "2019" / "valid"
    fails(
        dataclasses.replace(options, all_frames=True),
        "valid_all_frames/JPEGImages: expected the images of all frames",
    )
    fails(dataclasses.replace(options, dataset="youtube_vos2018"), "2018/valid", "found 2019")
    meta = (folder / "meta.json").read_text()
    (folder / "Annotations" / "dog-2" / "00006.png").unlink()
    fails(options, "dog-2/00006.png: expected the first mask of object 5", "meta.json starts there")
    (folder / "JPEGImages" / "bear" / "00008.jpg").unlink()
    fails(options, "JPEGImages/bear: expected the frames", "meta.json lists", "none for 1: 00008")
    for text, word in (
        ("{", "restore the file"),
        ('{"videos": {"a": 1}}', "expected videos.<video>.objects.<id>.frames"),
        ('{"videos": {"a": {"objects": {}}}}', "found none of a"),
        ('{"videos": {}}', "expected videos, found none"),
        (meta.replace('"dog"', '["dog"]'), "category ['dog'], which is no text"),
        (meta.replace('"5": {', '"255": {'), "from 1 to 254, found 255 in dog-2"),
        (json.dumps({"videos": {"a": {"objects": {"1": {"frames": []}}}}}), "none of 1 in a"),
    ):
        (folder / "meta.json").write_text(text)
        fails(options, "meta.json: expected", word)
    (folder / "meta.json").unlink()
    fails(options, "expected the list of videos and objects, found no such file")


def test_youtube_vos_train_with_some_masks_missing(tmp_path):
    options = write_benchmark_tree(tmp_path, "youtube_vos2018", split="train")
    (tmp_path / "2018" / "train" / "Annotations" / "bear" / "00006.png").unlink()
    fails(options, "expected masks of all 7 frames, or first masks alone", "none for 1: 00006")


def test_lvos(tmp_path):
    options = write_benchmark_tree(tmp_path, "lvos2")
    masks = tmp_path / "valid" / "Annotations" / "dog-10"
    (masks / "00000026.png").unlink()
    fails(options, f"{masks}: expected masks of all 5 frames", "none for 1: 00000026")
    (masks / "00000016.png").unlink()
    fails(options, "00000016.png: expected the first mask of object 3", "valid_meta.json starts")
    (tmp_path / "valid" / "JPEGImages" / "bear" / "00000011.jpg").unlink()
    fails(options, "valid_meta.json lists", "none for 1: 00000011")
    meta = tmp_path / "valid_meta.json"
    meta.write_text(meta.read_text().replace('"end"', '"last"'))
    fails(options, "expected videos.<video>.objects.<id>.frame_range.{start,end}", "'end'")
    meta.unlink()
    fails(options, f"{meta}: expected the list of videos and objects, found no such file")


@pytest.mark.parametrize("dataset", ["mose", "folder", "long_time_video"])
def test_a_mask_that_belongs_to_no_frame(tmp_path, dataset):
    options = write_benchmark_tree(tmp_path, dataset)
    path = open_benchmark(options).sequences[0].given[0].path
    path.rename(path.with_name("99999.png"))
    fails(options, "99999.png: expected the name of a frame", "found no such frame")


def test_masks_without_objects(tmp_path):
    options = write_benchmark_tree(tmp_path, "folder")
    video = LATE_VIDEOS[0]
    for t in range(video.num_frames):
        path = tmp_path / "Annotations" / "bear" / f"{t:05d}.png"
        write_mask(path, np.full(video.size, 255, np.uint8))
    fails(options, "Annotations/bear: expected masks with objects", "found only 0 and 255")


def test_no_sequence(tmp_path):
    options = write_benchmark_tree(tmp_path, "mose")
    shutil.rmtree(tmp_path / "valid" / "JPEGImages")
    (tmp_path / "valid" / "JPEGImages").mkdir()
    fails(options, "expected a folder of frames for every sequence, found an empty folder")
