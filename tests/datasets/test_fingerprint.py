"""A fingerprint changes with whatever changes results or scores, and with nothing else."""

import dataclasses
import json
import os
import shutil

import numpy as np
import pytest
from benchmark_trees import write_benchmark_tree, write_mask
from datasets.seen import read

from mavos_jax.datasets import open_benchmark


def fingerprint(options):
    return open_benchmark(options).fingerprint()


def redraw(path):
    """Moves a mask by a pixel without changing the size of its file."""
    size = path.stat().st_size
    ids = np.roll(read(path), 1, axis=1)
    write_mask(path, ids)
    # What follows the end of an image is no part of it.
    padding = max(path.stat().st_size, size) - path.stat().st_size
    with path.open("ab") as file:
        file.write(bytes(padding))


@pytest.mark.parametrize("which", ["given", "truth"])
def test_a_mask_drawn_anew_counts(tmp_path, which):
    options = write_benchmark_tree(tmp_path, "mose", split="train")
    bear = open_benchmark(options).sequences[0]
    path = bear.given[0].path if which == "given" else bear.truth[3]
    with path.open("ab") as file:
        file.write(bytes(64))
    first, size = fingerprint(options), path.stat().st_size
    redraw(path)
    assert path.stat().st_size == size
    assert fingerprint(options) != first


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
    first = fingerprint(options)
    meta = json.loads(path.read_text())
    meta["videos"]["bear"]["objects"]["1"]["frame_range"]["frame_nums"] = "6"
    path.write_text(json.dumps(meta))
    second = fingerprint(options)
    meta["videos"]["bear"]["objects"]["1"]["frame_range"]["end"] = "00000021"
    path.write_text(json.dumps(meta))
    assert len({first, second, fingerprint(options)}) == 3
