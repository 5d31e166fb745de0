"""YouTube-VOS: listed frames, all frames, and where the tree may lie."""

import dataclasses

import pytest
from benchmark_trees import write_benchmark_tree
from datasets.seen import contents, given, names

from mavos_jax.datasets import check_benchmark, open_benchmark


@pytest.mark.parametrize("dataset", ["youtube_vos2018", "youtube_vos2019"])
def test_youtube_vos(tmp_path, dataset):
    benchmark = open_benchmark(write_benchmark_tree(tmp_path, dataset))
    bear, two, ten = benchmark.sequences
    assert names(two.frames) == ["00002", "00004", "00006", "00008", "00010"]
    assert given(bear) == {0: ("00002", (1, 2))}
    assert given(two) == {0: ("00002", (2, 7)), 2: ("00006", (5,))}
    assert given(ten) == {0: ("00002", (1,)), 3: ("00008", (3,))}
    assert two.spans == {2: (0, 1, 2, 3, 4), 5: (2, 3, 4), 7: (0, 1, 2, 3, 4)}
    assert two.categories == {2: "cat", 5: "dog", 7: "kite"}
    assert two.saved == (0, 1, 2, 3, 4)
    assert not any(s.truth for s in benchmark.sequences)


def test_all_frames_of_youtube_vos(tmp_path):
    options = write_benchmark_tree(tmp_path, "youtube_vos2019", all_frames=True)
    two = open_benchmark(options).sequences[1]
    assert names(two.frames) == [f"{number:05d}" for number in range(2, 11)]
    assert {path.parent.parent.parent.name for path in two.frames} == {"valid_all_frames"}
    assert given(two) == {0: ("00002", (2, 7)), 4: ("00006", (5,))}
    assert two.given[4].path == tmp_path / "2019/valid/Annotations/dog-2/00006.png"
    assert two.saved == (0, 2, 4, 6, 8)
    assert two.spans == {2: (0, 2, 4, 6, 8), 5: (4, 6, 8), 7: (0, 2, 4, 6, 8)}
    assert check_benchmark(options) == []


def test_where_youtube_vos_may_lie(tmp_path):
    options = write_benchmark_tree(tmp_path, "youtube_vos2019", all_frames=True)
    listed = dataclasses.replace(options, all_frames=False)
    expected = [contents(choice) for choice in (options, listed)]

    def same(root):
        for choice, content in zip((options, listed), expected, strict=True):
            for split in ("val", "valid"):
                assert contents(dataclasses.replace(choice, root=root, split=split)) == content

    same(tmp_path)
    year = tmp_path / "2019"
    same(year)
    same(year / "valid")
    (year / "all_frames").mkdir()
    (year / "valid_all_frames").rename(year / "all_frames" / "valid_all_frames")
    same(tmp_path)
    same(year)
    (year / "all_frames").rename(tmp_path / "all_frames")
    same(tmp_path)
    (tmp_path / "all_frames" / "valid_all_frames").rename(tmp_path / "valid_all_frames")
    same(tmp_path)
    (year / "valid").rename(tmp_path / "val")
    same(tmp_path)


def test_youtube_vos_train_has_truth_at_listed_frames(tmp_path):
    options = write_benchmark_tree(tmp_path, "youtube_vos2019", split="train")
    benchmark = open_benchmark(options)
    assert benchmark.has_truth
    two = benchmark.sequences[1]
    folder = tmp_path / "2019" / "train" / "Annotations" / "dog-2"
    assert two.truth == {t: folder / f"{2 + 2 * t:05d}.png" for t in range(5)}
    assert given(two) == {0: ("00002", (2, 7)), 2: ("00006", (5,))}
    assert check_benchmark(options) == []
