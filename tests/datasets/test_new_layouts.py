"""MOSEv2, SA-V and VOST: objects of metadata or folders, late objects, all frames, training."""

import dataclasses
import json

import numpy as np
import pytest
from benchmark_trees import write_benchmark_tree, write_mask
from datasets.seen import given, names

from mavos_jax.config import SourceConfig
from mavos_jax.datasets import DATA_SETS, DATASETS, KINDS, check_benchmark, open_benchmark
from mavos_jax.datasets.files import kept_ids
from mavos_jax.datasets.opening import open_files
from mavos_jax.datasets.table import Dataset


def test_the_names_of_commands_are_those_of_the_table():
    assert Dataset.__args__ == DATASETS
    assert set(DATASETS) | set(KINDS) == set(DATA_SETS)


@pytest.mark.parametrize("form", ["list", "dict", "none"])
def test_objects_of_mosev2(tmp_path, form):
    options = write_benchmark_tree(tmp_path, "mosev2", split="train")
    path = tmp_path / "meta_train.json"
    meta = json.loads(path.read_text())
    if form == "dict":
        for video in meta["videos"].values():
            video["objects"] = {number: {"category": "x"} for number in video["objects"]}
        path.write_text(json.dumps(meta))
    elif form == "none":
        path.unlink()
    two = open_benchmark(options).sequences[1]
    assert given(two) == {0: ("00000", (2, 7)), 2: ("00002", (5,))}
    assert two.spans == ({} if form == "none" else {2: (), 5: (), 7: ()})
    assert sorted(two.truth) == [0, 1, 2, 3, 4]
    assert check_benchmark(options) == []


def test_an_object_of_sav_starts_where_it_is_first_seen(tmp_path):
    options = write_benchmark_tree(tmp_path, "sav")
    sequences = {s.name: s for s in open_benchmark(options).sequences}
    assert list(sequences)[:3] == ["bear/000", "bear/001", "dog-2/000"]
    assert sequences["bear/000"].saved == (0, 2, 3, 4, 5, 6)
    late = sequences["dog-2/001"]
    assert given(late) == {0: ("00002", None)}
    assert names(late.frames) == ["00002", "00003", "00004"]
    assert late.saved == (0, 1, 2)
    assert sorted(late.truth) == [0, 1, 2]
    folder = late.given[0].path.parent
    for path in folder.iterdir():
        write_mask(path, np.zeros((64, 96), np.uint8))
    with pytest.raises(ValueError, match=f"{folder}: expected an object, found only empty masks"):
        open_benchmark(options)
    assert open_benchmark(
        dataclasses.replace(options, root=tmp_path / "sav_val", sequences=("bear/001",))
    )


def test_frames_of_vost_between_the_labelled_ones(tmp_path):
    options = write_benchmark_tree(tmp_path, "vost", all_frames=True)
    bear = open_benchmark(options).sequences[0]
    assert len(bear.frames) == 14
    assert bear.saved == tuple(range(0, 14, 2)) == tuple(sorted(bear.truth))
    listed = open_benchmark(dataclasses.replace(options, all_frames=False)).sequences[0]
    assert names(listed.frames) == [path.stem for path in bear.truth.values()]
    assert check_benchmark(options) == []


@pytest.mark.parametrize(("kind", "ids"), [("mosev2", (2, 5, 7)), ("vost", None)])
def test_training(tmp_path, kind, ids):
    write_benchmark_tree(tmp_path, kind, split="train")
    videos = open_files(SourceConfig(kind, str(tmp_path)))
    assert [len(videos[i]) for i in range(3)] == [7, 5, 6]
    assert kept_ids(videos.sequences[1]) == ids
    assert np.unique(videos[1][4].mask).tolist() == [0, 2, 5, 7]
