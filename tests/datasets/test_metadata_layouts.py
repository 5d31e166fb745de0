"""LVOS and YouTube-VOS: spans from the metadata, which frames and masks, where they may lie."""

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


@pytest.mark.parametrize("dataset", ["youtube_vos2018", "youtube_vos2019"])
@pytest.mark.parametrize("split", ["valid", "train"])
def test_spans_and_categories(tmp_path, dataset, split):
    options = write_benchmark_tree(tmp_path, dataset, split=split)
    two = open_benchmark(options).sequences[1]
    assert two.spans == {2: (0, 1, 2, 3, 4), 5: (2, 3, 4), 7: (0, 1, 2, 3, 4)}
    assert two.categories == {2: "cat", 5: "dog", 7: "kite"}
    assert check_benchmark(options) == []


def test_all_frames_of_youtube_vos(tmp_path):
    options = write_benchmark_tree(tmp_path, "youtube_vos2019", all_frames=True)
    two = open_benchmark(options).sequences[1]
    assert names(two.frames) == [f"{number:05d}" for number in range(2, 11)]
    assert {path.parts[-4] for path in two.frames} == {"valid_all_frames"}
    assert given(two) == {0: ("00002", (2, 7)), 4: ("00006", (5,))}
    assert two.given[4].path == tmp_path / "2019/valid/Annotations/dog-2/00006.png"
    assert two.saved == (0, 2, 4, 6, 8)
    assert two.spans == {2: (0, 2, 4, 6, 8), 5: (4, 6, 8), 7: (0, 2, 4, 6, 8)}
    assert check_benchmark(options) == []


MOVES = {
    "lvos1": {
        "valid": "val",
        "valid_meta.json": "val/val_meta.json",
        "val/val_meta.json": "val/meta.json",
        "val": "val_480p",
    },
    "youtube_vos2019": {
        "2019/valid_all_frames": "2019/all_frames/valid_all_frames",
        "2019/all_frames": "all_frames",
        "all_frames/valid_all_frames": "valid_all_frames",
        "2019/valid": "val",
    },
}


@pytest.mark.parametrize(
    ("dataset", "roots"), [("lvos1", ["valid"]), ("youtube_vos2019", ["2019", "2019/valid"])]
)
def test_where_a_set_may_lie(tmp_path, dataset, roots):
    options = write_benchmark_tree(tmp_path, dataset, all_frames=dataset.startswith("youtube"))
    choices = {options, dataclasses.replace(options, all_frames=False)}
    expected = {choice: contents(choice) for choice in choices}

    def same(root):
        for choice, content in expected.items():
            for split in ("val", "valid"):
                assert contents(dataclasses.replace(choice, root=root, split=split)) == content

    for root in (".", *roots):
        same(tmp_path / root)
    for old, new in MOVES[dataset].items():
        (tmp_path / new).parent.mkdir(exist_ok=True)
        (tmp_path / old).rename(tmp_path / new)
        same(tmp_path)
