"""LVOS: first masks and spans from the metadata, converted masks, the split without labels."""

import dataclasses
import json

import pytest
from benchmark_trees import write_benchmark_tree
from datasets.seen import contents, given, names

from mavos_jax.datasets import check_benchmark, open_benchmark


@pytest.mark.parametrize("dataset", ["lvos1", "lvos2"])
def test_lvos(tmp_path, dataset):
    options = write_benchmark_tree(tmp_path, dataset)
    bear, two, ten = open_benchmark(options).sequences
    assert names(bear.frames) == [f"{number:08d}" for number in range(1, 36, 5)]
    assert given(two) == {0: ("00000001", (2, 7)), 2: ("00000011", (5,))}
    # The end of a range does not belong to it: 00000016 for object 2, whose range ends there.
    assert two.spans == {2: (0, 1, 2), 5: (2, 3, 4), 7: (0, 1, 2, 3, 4)}
    # The first frame has no label.
    assert names(ten.frames) == [f"{number:08d}" for number in range(6, 31, 5)]
    assert given(ten) == {0: ("00000006", (1,)), 2: ("00000016", (3,))}
    assert ten.spans == {1: (0, 1, 2), 3: (2, 3, 4)}
    for sequence in (bear, two, ten):
        assert sequence.saved == tuple(range(len(sequence.frames)))
        assert {t: path.stem for t, path in sequence.truth.items()} == dict(
            enumerate(names(sequence.frames))
        )


def test_where_lvos_may_lie(tmp_path):
    options = write_benchmark_tree(tmp_path, "lvos1")
    expected = contents(options)

    def same(root):
        for split in ("val", "valid"):
            assert contents(dataclasses.replace(options, root=root, split=split)) == expected

    same(tmp_path)
    same(tmp_path / "valid")
    (tmp_path / "valid").rename(tmp_path / "val")
    same(tmp_path)
    (tmp_path / "valid_meta.json").rename(tmp_path / "val" / "val_meta.json")
    same(tmp_path)
    (tmp_path / "val" / "val_meta.json").rename(tmp_path / "val" / "meta.json")
    same(tmp_path)
    (tmp_path / "val").rename(tmp_path / "val_480p")
    same(tmp_path)


@pytest.mark.parametrize("folder", ["Annotations_convert", "Annotations_first_only"])
def test_converted_masks_of_lvos(tmp_path, folder):
    options = write_benchmark_tree(tmp_path, "lvos1", split="test")
    (tmp_path / "test").rename(tmp_path / "val")
    (tmp_path / "test_meta.json").rename(tmp_path / "val_meta.json")
    (tmp_path / "val" / "Annotations").rename(tmp_path / "val" / folder)
    options = dataclasses.replace(options, split="val")
    benchmark = open_benchmark(options)
    two = benchmark.sequences[1]
    assert given(two) == {0: ("00000001", (2, 7)), 2: ("00000011", (5,))}
    assert two.given[2].path.parent.parent.name == folder
    assert two.spans == {2: (0, 1, 2), 5: (2, 3, 4), 7: (0, 1, 2, 3, 4)}
    assert not benchmark.has_truth
    assert check_benchmark(options) == []


@pytest.mark.parametrize("has_metadata", [True, False])
def test_lvos_test(tmp_path, has_metadata):
    options = write_benchmark_tree(tmp_path, "lvos2", split="test")
    if not has_metadata:
        (tmp_path / "test_meta.json").unlink()
    bear, two, ten = open_benchmark(options).sequences
    assert given(bear) == {0: ("00000001", None)}
    assert given(two) == {0: ("00000001", (2, 7)), 2: ("00000011", (5,))}
    assert given(ten) == {0: ("00000006", (1,)), 2: ("00000016", (3,))}
    assert names(ten.frames)[0] == "00000006"
    assert not any(sequence.truth for sequence in (bear, two, ten))
    assert bool(two.spans) == has_metadata
    assert check_benchmark(options) == []


def test_lvos_test_ranges_without_end(tmp_path):
    options = write_benchmark_tree(tmp_path, "lvos2", split="test")
    path = tmp_path / "test_meta.json"
    meta = json.loads(path.read_text())
    for video in meta["videos"].values():
        for value in video["objects"].values():
            del value["frame_range"]["end"]
    path.write_text(json.dumps(meta))
    assert open_benchmark(options).sequences[1].spans == {2: (0,), 5: (2,), 7: (0,)}
