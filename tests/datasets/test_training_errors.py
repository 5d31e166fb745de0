"""Mistakes in a training set and damaged files are told apart, each in one line."""

import dataclasses
import os
import pickle
import shutil

import numpy as np
import pytest
from benchmark_trees import write_mask, write_source
from datasets.seen import change_json
from datasets.tree_videos import LATE_VIDEOS
from PIL import Image
from refusals import refuse

from mavos_jax.config.data import SourceConfig
from mavos_jax.datasets import TRAINING_KINDS, DamagedSample, open_source
from mavos_jax.datasets.opening import open_files

SIZE = LATE_VIDEOS[0].size


def fails(source, *words):
    message = refuse("expected .*found", open_source, source)
    assert all(str(word) in message for word in words)


@pytest.mark.parametrize("kind", TRAINING_KINDS)
def test_a_wrong_root(tmp_path, kind):
    source = SourceConfig(kind=kind, root=str(tmp_path / "set"))
    fails(source, f"{tmp_path / 'set'}: expected", "found nothing")
    (tmp_path / "set/photos").mkdir(parents=True)
    fails(source, tmp_path / "set")
    (tmp_path / "file").write_text("")
    fails(dataclasses.replace(source, root=str(tmp_path / "file")), "found a file")


def test_davis_without_a_resolution(tmp_path):
    source = write_source(tmp_path, "davis2017")
    shutil.rmtree(tmp_path / "Annotations/480p")
    fails(source, "480p or Full-Resolution", "found 480p and an empty folder")


@pytest.mark.parametrize("kind", ["davis2017", "mose", "lvos", "youtube_vos", "folder"])
def test_sequences_with_first_masks_alone_are_named(tmp_path, kind):
    source = write_source(tmp_path, kind)
    files = open_files(source).sequences[1]
    for index in range(1, len(files)):
        files.mask_path(index).unlink()
    fails(source, tmp_path, "at least 2 frames with masks", "fewer in 1: dog-2;")


@pytest.mark.parametrize("kind", ["folder", "mose", "davis2017"])
def test_a_mask_without_its_frame_is_named(tmp_path, kind):
    source = write_source(tmp_path, kind)
    files = open_files(source).sequences[0]
    files.frames[1].rename(files.frames[1].with_suffix(".xyz"))  # is not read
    fails(source, f"{files.mask_path(1)}: expected the name of a frame")


def test_a_folder_whose_list_names_what_is_not_there(tmp_path):
    source = write_source(tmp_path, "folder")
    (tmp_path / "val.txt").write_text("bear\ncat\n")
    fails(source, tmp_path, "found none for 1: cat")
    fails(dataclasses.replace(source, split="train"), "ImageSets/train.txt: expected the list")


def test_static_images_without_masks_or_with_a_split(tmp_path):
    source = write_source(tmp_path, "static")
    fails(dataclasses.replace(source, split="val"), "expected split train", "found 'val'")
    shutil.rmtree(tmp_path / "Annotations")
    (tmp_path / "Annotations").mkdir()
    fails(source, tmp_path, "found 6 images and no mask of theirs in COCO, ECSSD")


def test_youtube_vos_without_objects_seen_twice_or_of_two_years(tmp_path):
    source = write_source(tmp_path, "youtube_vos")
    path = tmp_path / "2019/train/meta.json"
    with change_json(path) as meta:
        meta["videos"] = {"a2": {"objects": {"1": {"frames": ["00000"]}}}}
    fails(source, path, "videos of 2 frames or more, found none in 1")
    (tmp_path / "2018").mkdir()
    fails(source, tmp_path, "expected one year", "2018 and 2019")


def test_generated_sets():
    fails(SourceConfig(split="val"), "expected train, eventful or held_out", "'val'")
    fails(SourceConfig(format="records"), "format of a generated set: expected files")
    fails(SourceConfig(num_videos=2**29), f"at most {2**29 - 1}")


@pytest.fixture
def video(tmp_path):
    return open_source(write_source(tmp_path, "mose"))[0]


def refuses(call, *words):
    """The error of a call, whose one line has all the words."""
    with pytest.raises(ValueError, match=r"^.*expected .*found.*$") as error:
        call()
    message = str(error.value)
    assert "\n" not in message
    assert all(str(word) in message for word in words)
    return error.value


def damages(video, *words):
    error = refuses(lambda: video[1], *words)
    assert isinstance(error, DamagedSample)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def mistakes(call, *words):
    assert not isinstance(refuses(call, *words), DamagedSample)


HARMS = {
    "cut": lambda path: os.truncate(path, path.stat().st_size // 2),
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_bytes(b"no"),
    "missing": lambda path: path.unlink(),
    "pipe": lambda path: (path.unlink(), os.mkfifo(path)),
}


@pytest.mark.parametrize("kind", ["frame", "mask"])
@pytest.mark.parametrize("harm", HARMS)
def test_a_missing_or_damaged_file_is_damage(video, kind, harm):
    path = video.files.frames[1] if kind == "frame" else video.files.mask_path(1)
    HARMS[harm](path)
    damages(video, f"{path}: expected ")
    assert video[0].frame.shape == (*SIZE, 3)


def test_a_mask_of_another_size_is_damage(video):
    path = video.files.mask_path(1)
    write_mask(path, np.zeros((12, 16), np.uint8))
    damages(video, f"{path}: expected", "48 x 64", video.files.frames[1], "found 12 x 16")


@pytest.mark.parametrize("mode", ["RGB", "F", "JPEG"])
def test_a_mask_that_holds_no_ids_is_a_mistake_and_no_damage(video, mode):
    path = video.files.mask_path(1)
    if mode == "JPEG":
        Image.new("L", (SIZE[1], SIZE[0])).save(path, format="JPEG")
    else:
        Image.new(mode, (SIZE[1], SIZE[0]), 0.5 if mode == "F" else 0).save(path, format="TIFF")
    mistakes(lambda: video[1], f"{path}: expected", "ids")


def test_a_deep_frame_is_a_mistake_and_no_damage(video):
    Image.new("I;16", (SIZE[1], SIZE[0])).save(video.files.frames[1], format="PNG")
    mistakes(lambda: video[1], "00001.jpg: expected 8 bits")


@pytest.mark.parametrize("kind", ["folder", "lvos", "mose", "davis2017", "youtube_vos"])
def test_masks_of_0_and_255_alone_in_all_of_a_video(tmp_path, kind):
    videos = open_files(write_source(tmp_path, kind))
    video, files = videos[0], videos.sequences[0]
    paths = [files.mask_path(index) for index in range(len(files))]
    ids = np.zeros(SIZE, np.uint8)
    write_mask(paths[0], ids)
    ids[4:10, 4:10] = 255
    for path in paths[1:]:
        write_mask(path, ids)
    for call in (lambda: video.mask(1), lambda: video[1]):
        mistakes(call, f"{paths[1]}: expected object ids", f"0 and 255 in all {len(paths)} masks")
    assert not video.mask(0).any()
    # The objects are absent from one frame, some of whose pixels are unknown.
    write_mask(paths[0], ids // 255)
    assert np.unique(video[1].mask).tolist() == [0, 255]


@pytest.mark.parametrize("kind", TRAINING_KINDS)
def test_masks_with_smoothed_edges_are_refused_unless_they_are_binary(tmp_path, kind):
    videos = open_files(write_source(tmp_path, kind))
    video, path = videos[0], videos.sequences[0].mask_path(0)
    grey = np.zeros(SIZE, np.uint8)
    grey.ravel()[:100] = np.arange(1, 101)
    write_mask(path, grey)
    assert video.mask(0).any()
    grey[-1, -2:] = 101, 255
    write_mask(path, grey)
    if kind == "davis2016":
        np.testing.assert_array_equal(video.mask(0), grey > 0)
    else:
        mistakes(lambda: video.mask(0), f"{path}: expected object ids", "101 different values")


def test_an_index_beyond_the_end(video):
    with pytest.raises(IndexError):
        video[7]
    with pytest.raises(IndexError):
        video.mask(-8)
