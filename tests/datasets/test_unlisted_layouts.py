"""Sets without metadata: Long-Time Video, MOSE, any folder."""

import dataclasses

import numpy as np
import pytest
from benchmark_trees import write_benchmark_tree, write_mask
from datasets.seen import contents, given, names
from datasets.tree_videos import LATE_VIDEOS

from mavos_jax.config import SourceConfig
from mavos_jax.datasets import (
    BenchmarkOptions,
    GivenMask,
    check_benchmark,
    open_benchmark,
    open_source,
)

LATE = {video.name: video for video in LATE_VIDEOS}


@pytest.mark.parametrize("folder", ["ImageSets", "."])
def test_long_time_video(tmp_path, folder):
    options = write_benchmark_tree(tmp_path, "long_time_video")
    if folder == ".":
        (tmp_path / "ImageSets" / "val.txt").rename(tmp_path / "val.txt")
    for sequence in open_benchmark(options).sequences:
        # Frames 7 to 14; 8, 10, 12 and 14 are labelled. As text, 10 would come before 8.
        assert names(sequence.frames) == [str(number) for number in range(8, 15)]
        masks = tmp_path / "Annotations" / sequence.name
        assert sequence.given == {0: GivenMask(masks / "8.png")}
        assert sequence.truth == {t: masks / f"{8 + t}.png" for t in (0, 2, 4, 6)}
        assert sequence.saved == (0, 2, 4, 6)


def test_mose(tmp_path):
    options = write_benchmark_tree(tmp_path, "mose")
    for sequence in open_benchmark(options).sequences:
        # One mask alone is not read.
        assert given(sequence) == {0: ("00000", None)}
        assert sequence.saved == tuple(range(LATE[sequence.name].num_frames))
    options = write_benchmark_tree(tmp_path, "mose", split="train")
    bear, two, ten = open_benchmark(options).sequences
    assert given(bear) == {0: ("00000", (1, 2))}
    assert given(two) == {0: ("00000", (2, 7)), 2: ("00002", (5,))}
    assert given(ten) == {0: ("00000", (1,)), 3: ("00003", (3,))}
    assert [path.stem for path in two.truth.values()] == names(two.frames)
    assert check_benchmark(options) == []


def test_any_folder(tmp_path):
    options = write_benchmark_tree(tmp_path, "folder")
    bear, two, ten = open_benchmark(options).sequences
    assert given(bear) == {0: ("00000", (1, 2))}
    assert given(two) == {0: ("00000", (2, 7)), 2: ("00002", (5,))}
    assert sorted(two.truth) == [0, 1, 2, 3, 4]
    expected = contents(options)
    (tmp_path / "val").mkdir()
    for kind in ("JPEGImages", "Annotations"):
        (tmp_path / kind).rename(tmp_path / "val" / kind)
    assert contents(options) == expected
    # An object that is in no mask but its first cannot be scored.
    for t in (4, 5):
        (tmp_path / "val" / "Annotations" / "dog-10" / f"{t:05d}.png").unlink()
    (ten,) = open_benchmark(dataclasses.replace(options, sequences=("dog-10",))).sequences
    assert given(ten) == {0: ("00000", (1,)), 3: ("00003", (3,))}
    assert not ten.truth


def test_a_folder_starts_where_the_first_object_is(tmp_path):
    options = write_benchmark_tree(tmp_path, "folder")
    masks = tmp_path / "Annotations" / "bear"
    write_mask(masks / "00000.png", np.zeros((48, 64), np.uint8))
    assert check_benchmark(options) == []
    for first in (1, 2):
        bear = open_benchmark(options).sequences[0]
        assert names(bear.frames) == [f"{t:05d}" for t in range(first, 7)]
        assert given(bear) == {0: (f"{first:05d}", (1, 2))}
        assert sorted(bear.truth) == list(range(7 - first))
        (masks / "00001.png").unlink(missing_ok=True)


def test_nested_folders_are_opened_as_training_opens_them(tmp_path):
    write_benchmark_tree(tmp_path, "folder")
    for kind in ("JPEGImages", "Annotations"):
        (tmp_path / kind / "birds").mkdir()
        (tmp_path / kind / "bear").rename(tmp_path / kind / "birds" / "bear")
    options = BenchmarkOptions("folder", "val", tmp_path)
    names = [sequence.name for sequence in open_benchmark(options).sequences]
    assert names[0] == "birds/bear"
    videos = open_source(SourceConfig("folder", str(tmp_path)))
    assert [videos[i].name.split(": ")[1] for i in range(len(videos))] == names
    assert check_benchmark(options) == []


def test_frames_without_a_folder_of_their_own_are_a_sequence(tmp_path):
    write_benchmark_tree(tmp_path / "all", "folder")
    for kind in ("JPEGImages", "Annotations"):
        (tmp_path / "one").mkdir(exist_ok=True)
        (tmp_path / "all" / kind / "bear").rename(tmp_path / "one" / kind)
    options = BenchmarkOptions("folder", "val", tmp_path / "one")
    (sequence,) = open_benchmark(options).sequences
    assert (sequence.name, sequence.frames[0].parent.name) == ("frames", "JPEGImages")
    assert check_benchmark(options) == []
