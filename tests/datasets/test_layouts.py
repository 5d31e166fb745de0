"""Every layout opens to what its rules say, and its fingerprint changes with what counts."""

import dataclasses
import os
import shutil

import numpy as np
import pytest
from benchmark_trees import write_benchmark_tree, write_mask
from datasets.seen import change_json, given, names, read
from datasets.tree_videos import LATE_VIDEOS, LONG_VIDEOS, LVOS_VIDEOS

from mavos_jax.datasets import check_benchmark, open_benchmark, pairing
from mavos_jax.datasets.table import BENCHMARKS, DATA_SETS, TRAINING_KINDS, BenchmarkName
from mavos_jax.media.masks import read_values


def test_the_names_of_commands_are_those_of_the_table():
    assert BenchmarkName.__args__ == BENCHMARKS
    assert set(BENCHMARKS) | set(TRAINING_KINDS) == set(DATA_SETS)


@pytest.mark.parametrize("dataset", BENCHMARKS)
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_every_layout(tmp_path, dataset, suffix):
    options = write_benchmark_tree(tmp_path, dataset, suffix=suffix)
    benchmark = open_benchmark(options)
    assert (benchmark.dataset, benchmark.split) == (dataset, options.split)
    assert benchmark.root == tmp_path
    assert benchmark.is_binary == (dataset in ("davis2016", "long_time_video", "sav"))
    hidden = "mose", "mosev2", "youtube_vos2018", "youtube_vos2019"
    assert benchmark.has_truth == (dataset not in hidden)
    order = [v.name for v in (LONG_VIDEOS if dataset == "long_time_video" else LATE_VIDEOS)]
    assert list(dict.fromkeys(s.name.split("/")[0] for s in benchmark.sequences)) == order
    for sequence in benchmark.sequences:
        assert {path.suffix for path in sequence.frames} == {suffix}
        assert all(path.is_file() for path in (*sequence.frames, *sequence.truth.values()))
        assert 0 in sequence.given
        assert set(sequence.saved) <= set(range(len(sequence.frames)))
        for t, mask in sequence.given.items():
            assert mask.path.stem == sequence.frame_name(t)
            assert set(mask.ids or ()) <= set(np.unique(read(mask.path)).tolist())
    assert check_benchmark(options) == []


NAMES = {
    ("youtube_vos2018", "valid"): lambda t: f"{2 + 2 * t:05d}",
    ("youtube_vos2019", "train"): lambda t: f"{2 + 2 * t:05d}",
    ("lvos1", "valid"): lambda t: f"{1 + 5 * t:08d}",
    ("lvos2", "valid"): lambda t: f"{1 + 5 * t:08d}",
    ("mose", "train"): "{:05d}".format,
    ("mosev2", "train"): "{:05d}".format,
    ("folder", "val"): "{:05d}".format,
}


@pytest.mark.parametrize(("dataset", "split"), NAMES)
def test_late_objects_are_given_where_they_start(tmp_path, dataset, split):
    benchmark = open_benchmark(write_benchmark_tree(tmp_path, dataset, split=split))
    videos = LVOS_VIDEOS if dataset.startswith("lvos") else LATE_VIDEOS
    for sequence, video in zip(benchmark.sequences, videos, strict=True):
        first = min(video.starts)
        stems = [NAMES[dataset, split](t) for t in range(first, video.num_frames)]
        assert names(sequence.frames) == stems
        assert sequence.saved == tuple(range(len(stems)))
        truth = {t: path.stem for t, path in sequence.truth.items()}
        assert truth == (dict(enumerate(stems)) if benchmark.has_truth else {})
        starts = {t - first: video.ids_starting_at(t) for t in sorted(video.starts)}
        assert given(sequence) == {t: (stems[t], ids) for t, ids in starts.items()}


@pytest.mark.parametrize(
    ("dataset", "split", "times"),
    [("mose", "train", 1), ("folder", "val", 1), ("mose", "valid", 0), ("lvos1", "valid", 0)],
)
def test_masks_are_read_once_and_only_where_nothing_else_tells(
    tmp_path, monkeypatch, dataset, split, times
):
    options = write_benchmark_tree(tmp_path, dataset, split=split)
    opened = []
    monkeypatch.setattr(pairing, "read_values", lambda x: opened.append(x) or read_values(x))
    open_benchmark(options)
    assert sorted(opened) == sorted([*tmp_path.rglob("*.png")] * times)


def fingerprint(options):
    return open_benchmark(options).fingerprint()


@pytest.mark.parametrize("which", ["given", "truth"])
def test_a_mask_drawn_anew_counts(tmp_path, which):
    options = write_benchmark_tree(tmp_path, "mose", split="train")
    bear = open_benchmark(options).sequences[0]
    path = bear.given[0].path if which == "given" else bear.truth[3]
    sizes, fingerprints = [], []
    for shift in (0, 1):  # a mask that has moved by a pixel, in a file of the same size
        write_mask(path, np.roll(read(path), shift, axis=1))
        path.write_bytes(path.read_bytes().ljust(2000, b"\0"))  # what follows an image is no part
        sizes.append(path.stat().st_size)
        fingerprints.append(fingerprint(options))
    assert sizes == [2000, 2000]
    assert len(set(fingerprints)) == 2


def test_copies_and_their_times_do_not_count(tmp_path):
    options = write_benchmark_tree(tmp_path / "set", "lvos2")
    first = fingerprint(options)
    shutil.copytree(tmp_path / "set", tmp_path / "copy")
    for path in (tmp_path / "copy").rglob("*.*"):
        os.utime(path, (1, 1))
    assert fingerprint(dataclasses.replace(options, root=tmp_path / "copy")) == first


@pytest.mark.parametrize("dataset", ["mose", "lvos1", "youtube_vos2019", "folder"])
def test_both_names_of_a_split_count_as_one(tmp_path, dataset):
    options = write_benchmark_tree(tmp_path, dataset)
    val, valid = (dataclasses.replace(options, split=split) for split in ("val", "valid"))
    assert fingerprint(val) == fingerprint(valid)
    assert open_benchmark(valid).split == "valid"
    if dataset == "lvos1":
        shutil.copytree(tmp_path / "valid", tmp_path / "test")
        assert fingerprint(dataclasses.replace(options, split="test")) != fingerprint(val)


def test_metadata_count(tmp_path):
    options = write_benchmark_tree(tmp_path, "lvos2")
    path = tmp_path / "valid_meta.json"
    found = {fingerprint(options)}
    for field, value in (("frame_nums", "6"), ("end", "00000021")):
        with change_json(path) as meta:
            meta["videos"]["bear"]["objects"]["1"]["frame_range"][field] = value
        found.add(fingerprint(options))
    assert len(found) == 3
