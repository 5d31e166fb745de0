"""LVOS: spans from the metadata, converted masks, the split without labels."""

import dataclasses

import pytest
from benchmark_trees import write_benchmark_tree
from datasets.seen import change_json, contents, given, names

from mavos_jax.datasets import check_benchmark, open_benchmark

SPANS = {2: (0, 1, 2), 5: (2, 3, 4), 7: (0, 1, 2, 3, 4)}
"""Of dog-2. The end of a range does not belong to it: 00000016 for object 2, which ends there."""


@pytest.mark.parametrize("dataset", ["lvos1", "lvos2"])
def test_lvos(tmp_path, dataset):
    _, two, ten = open_benchmark(write_benchmark_tree(tmp_path, dataset)).sequences
    assert two.spans == SPANS
    assert ten.spans == {1: (0, 1, 2), 3: (2, 3, 4)}


def test_where_lvos_may_lie(tmp_path):
    options = write_benchmark_tree(tmp_path, "lvos1")
    expected = contents(options)

    def same(root):
        for split in ("val", "valid"):
            assert contents(dataclasses.replace(options, root=root, split=split)) == expected

    same(tmp_path)
    same(tmp_path / "valid")
    for old, new in (
        ("valid", "val"),
        ("valid_meta.json", "val/val_meta.json"),
        ("val/val_meta.json", "val/meta.json"),
        ("val", "val_480p"),
    ):
        (tmp_path / old).rename(tmp_path / new)
        same(tmp_path)


@pytest.mark.parametrize("folder", ["Annotations_convert", "Annotations_first_only"])
def test_converted_masks_of_lvos(tmp_path, folder):
    options = write_benchmark_tree(tmp_path, "lvos1", split="test")
    for old, new in (
        ("test/Annotations", f"test/{folder}"),
        ("test", "val"),
        ("test_meta.json", "val_meta.json"),
    ):
        (tmp_path / old).rename(tmp_path / new)
    options = dataclasses.replace(options, split="val")
    benchmark = open_benchmark(options)
    two = benchmark.sequences[1]
    assert given(two) == {0: ("00000001", (2, 7)), 2: ("00000011", (5,))}
    assert two.given[2].path.parts[-3] == folder
    assert two.spans == SPANS
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
    assert two.spans == (SPANS if has_metadata else {})
    assert check_benchmark(options) == []


def test_lvos_test_ranges_without_end(tmp_path):
    options = write_benchmark_tree(tmp_path, "lvos2", split="test")
    with change_json(tmp_path / "test_meta.json") as meta:
        for video in meta["videos"].values():
            for value in video["objects"].values():
                del value["frame_range"]["end"]
    assert open_benchmark(options).sequences[1].spans == {2: (0,), 5: (2,), 7: (0,)}
