"""A fingerprint changes with whatever changes results or scores, and with nothing else."""

import dataclasses
import os
import shutil

import numpy as np
import pytest
from benchmark_trees import write_benchmark_tree, write_mask
from datasets.seen import change_json, read

from mavos_jax.datasets import open_benchmark


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
