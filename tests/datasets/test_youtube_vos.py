"""YouTube-VOS: spans, categories, all frames, and where the tree may lie."""

import dataclasses

import pytest
from benchmark_trees import write_benchmark_tree
from datasets.seen import contents, given, names

from mavos_jax.datasets import check_benchmark, open_benchmark


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


def test_where_youtube_vos_may_lie(tmp_path):
    options = write_benchmark_tree(tmp_path, "youtube_vos2019", all_frames=True)
    listed = dataclasses.replace(options, all_frames=False)
    expected = [contents(choice) for choice in (options, listed)]

    def same(*roots):
        for root in roots:
            for choice, content in zip((options, listed), expected, strict=True):
                for split in ("val", "valid"):
                    found = contents(dataclasses.replace(choice, root=root, split=split))
                    assert found == content

    year = tmp_path / "2019"
    same(tmp_path, year, year / "valid")
    (year / "all_frames").mkdir()
    (year / "valid_all_frames").rename(year / "all_frames/valid_all_frames")
    same(tmp_path, year)
    for old, new in (
        ("2019/all_frames", "all_frames"),
        ("all_frames/valid_all_frames", "valid_all_frames"),
        ("2019/valid", "val"),
    ):
        (tmp_path / old).rename(tmp_path / new)
        same(tmp_path)
