"""Every layout opens to what its rules say; the trees of the tests hold what they say."""

import dataclasses
from collections import Counter

import numpy as np
import pytest
from benchmark_trees import write_benchmark_tree
from datasets.seen import read
from datasets.tree_videos import LATE_VIDEOS, LONG_VIDEOS
from PIL import Image

from mavos_jax.datasets import DATASETS, check_benchmark, open_benchmark, pairing
from mavos_jax.media.masks import read_values

LATE = {video.name: video for video in LATE_VIDEOS}


@pytest.mark.parametrize("dataset", DATASETS)
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_every_layout(tmp_path, dataset, suffix):
    options = write_benchmark_tree(tmp_path, dataset, suffix=suffix)
    benchmark = open_benchmark(options)
    assert benchmark.dataset == dataset
    assert (benchmark.split, benchmark.root) == (options.split, tmp_path)
    assert benchmark.is_binary == (dataset in ("davis2016", "long_time_video", "sav"))
    hidden = "mose", "mosev2", "youtube_vos2018", "youtube_vos2019"
    assert benchmark.has_truth == (dataset not in hidden)
    order = [v.name for v in LONG_VIDEOS] if dataset == "long_time_video" else list(LATE)
    assert list(dict.fromkeys(s.name.split("/")[0] for s in benchmark.sequences)) == order
    for sequence in benchmark.sequences:
        assert {path.suffix for path in sequence.frames} == {suffix}
        assert all(path.is_file() for path in sequence.frames)
        assert all(path.is_file() for path in sequence.truth.values())
        assert 0 in sequence.given
        assert set(sequence.saved) <= set(range(len(sequence.frames)))
        for t, mask in sequence.given.items():
            assert mask.path.stem == sequence.frame_name(t)
            assert set(mask.ids or ()) <= set(np.unique(read(mask.path)).tolist())
    assert check_benchmark(options) == []


@pytest.mark.parametrize(
    ("dataset", "split", "times"),
    [("mose", "train", 1), ("folder", "val", 1), ("mose", "valid", 0), ("lvos1", "valid", 0)],
)
def test_masks_are_read_once_and_only_where_nothing_else_tells(
    tmp_path, monkeypatch, dataset, split, times
):
    options = write_benchmark_tree(tmp_path, dataset, split=split)
    opened = Counter()

    def count(path):
        opened[str(path)] += 1
        return read_values(path)

    monkeypatch.setattr(pairing, "read_values", count)
    open_benchmark(options)
    masks = [str(path) for path in tmp_path.rglob("*.png")]
    assert opened == Counter(masks * times)


def test_trees_hold_what_they_say(tmp_path):
    write_benchmark_tree(tmp_path, "folder", suffix=".png")
    for video in LATE_VIDEOS:
        for t in range(video.num_frames):
            frame, mask = video.draw(t)
            stem = f"{video.name}/{t:05d}.png"
            np.testing.assert_array_equal(read(tmp_path / "JPEGImages" / stem), frame)
            ids = read(tmp_path / "Annotations" / stem)
            np.testing.assert_array_equal(ids, video.visible(mask, t))
    with Image.open(tmp_path / "Annotations" / "bear" / "00000.png") as image:
        assert (image.getpalette() or [])[:12] == [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0]


def test_only_the_sequences_asked_for(tmp_path):
    options = write_benchmark_tree(tmp_path, "mose")
    chosen = dataclasses.replace(options, sequences=("dog-10", "bear"), short_edge=24)
    benchmark = open_benchmark(chosen)
    assert [s.name for s in benchmark.sequences] == ["bear", "dog-10"]
    assert benchmark.short_edge == 24
