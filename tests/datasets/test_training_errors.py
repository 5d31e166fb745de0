"""Mistakes in a training set and damaged files are told apart, each in one line."""

import dataclasses
import os
import pickle

import numpy as np
import pytest
from benchmark_trees import write_mask, write_source
from datasets.seen import empty, write
from datasets.tree_videos import LATE_VIDEOS
from refusals import refuse

from mavos_jax.config.data import SourceConfig
from mavos_jax.datasets import TRAINING_KINDS, DamagedSample, open_source
from mavos_jax.datasets.opening import open_files

SIZE = LATE_VIDEOS[0].size


def fails(source, *words):
    message = refuse("expected .*found", open_source, source)
    assert all(str(word) in message for word in words)


ONCE = '{"videos": {"a": {"objects": {"1": {"frames": ["00000"]}}}}}'


@pytest.mark.parametrize(
    ("kind", "harm", "words"),
    [
        ("davis2017", empty("Annotations"), "480p or Full-Resolution.* 480p and an empty folder"),
        ("folder", write("val.txt", "bear\ncat\n"), "found none for 1: cat"),
        ("folder", write("train.txt", "bear\n"), "ImageSets/val.txt: expected the list"),
        ("static", empty("Annotations"), "6 images and no mask of theirs in COCO, ECSSD"),
        ("youtube_vos", write("2019/train/meta.json", ONCE), "meta.json.* 2 frames.* none in 1"),
        ("youtube_vos", lambda root: (root / "2018").mkdir(), "one year.* 2018 and 2019"),
    ],
)
def test_what_is_missing_or_wrong_is_named(tmp_path, kind, harm, words):
    source = write_source(tmp_path, kind)
    harm(tmp_path)
    assert str(tmp_path) in refuse(words, open_source, source)


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


def test_sets_that_there_are_not(tmp_path):
    static = write_source(tmp_path, "static")
    fails(dataclasses.replace(static, split="val"), "expected split train", "found 'val'")
    fails(SourceConfig(split="val"), "expected train, eventful or held_out", "'val'")
    fails(SourceConfig(format="records"), "format of a generated set: expected files")
    fails(SourceConfig(num_videos=2**29), f"at most {2**29 - 1}")


@pytest.fixture
def video(tmp_path):
    return open_source(write_source(tmp_path, "mose"))[0]


def refuses(kind, call, *words):
    """A call raises an error of just this kind, whose one line has all the words."""
    with pytest.raises(kind, match=r"^.*expected .*found.*$") as error:
        call()
    assert type(error.value) is kind
    assert "\n" not in str(error.value)
    assert all(str(word) in str(error.value) for word in words)
    return error.value


@pytest.mark.parametrize("kind", ["frame", "mask"])
@pytest.mark.parametrize(
    "harm",
    [
        lambda path: os.truncate(path, path.stat().st_size // 2),
        lambda path: path.unlink(),
        lambda path: (path.unlink(), os.mkfifo(path)),
    ],
)
def test_a_missing_or_damaged_file_is_damage(video, kind, harm):
    path = video.files.frames[1] if kind == "frame" else video.files.mask_path(1)
    harm(path)
    error = refuses(DamagedSample, lambda: video[1], f"{path}: expected ")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert video[0].frame.shape == (*SIZE, 3)


@pytest.mark.parametrize("kind", ["folder", "lvos", "youtube_vos"])
def test_masks_of_0_and_255_alone_in_all_of_a_video(tmp_path, kind):
    videos = open_files(write_source(tmp_path, kind))
    video, files = videos[0], videos.sequences[0]
    paths = [files.mask_path(index) for index in range(len(files))]
    ids = np.zeros(SIZE, np.uint8)
    write_mask(paths[0], ids)
    ids[4:10, 4:10] = 255
    for path in paths[1:]:
        write_mask(path, ids)
    words = f"{paths[1]}: expected object ids", f"0 and 255 in all {len(paths)} masks"
    for call in (lambda: video.mask(1), lambda: video[1]):
        refuses(ValueError, call, *words)
    assert not video.mask(0).any()
    # The objects are absent from one frame, some of whose pixels are unknown.
    write_mask(paths[0], ids // 255)
    assert np.unique(video[1].mask).tolist() == [0, 255]


@pytest.mark.parametrize("kind", TRAINING_KINDS)
def test_masks_with_smoothed_edges_are_refused_unless_they_are_binary(tmp_path, kind):
    videos = open_files(write_source(tmp_path, kind))
    video, path = videos[0], videos.sequences[0].mask_path(0)
    grey = np.zeros(SIZE, np.uint8)
    grey[::2, ::2].flat[:100] = np.arange(1, 101)
    write_mask(path, grey)
    assert video.mask(0).any()
    grey[-1, -2:] = 101, 255
    write_mask(path, grey)
    if kind == "davis2016":
        np.testing.assert_array_equal(video.mask(0), grey > 0)
    else:
        words = f"{path}: expected object ids", "101 different values"
        refuses(ValueError, lambda: video.mask(0), *words)
        # A small disc with a soft edge; its inside would be ignored and the edge learnt.
        rows, columns = np.ogrid[: SIZE[0], : SIZE[1]]
        distance = np.hypot(rows - SIZE[0] // 2, columns - SIZE[1] // 2)
        write_mask(path, (np.clip(7 - distance, 0, 3) * 85).astype(np.uint8))
        words = f"{path}: expected one id per object", "only along outlines"
        refuses(ValueError, lambda: video.mask(0), *words)
