"""DAVIS: resolutions, lists, masks in another root."""

import dataclasses
import shutil

import pytest
from benchmark_trees import write_benchmark_tree
from datasets.seen import read
from datasets.tree_videos import DAVIS_VIDEOS
from refusals import refuse

from mavos_jax.datasets import GivenMask, check_benchmark, open_benchmark


@pytest.mark.parametrize("dataset", ["davis2016", "davis2017"])
@pytest.mark.parametrize("resolution", ["480p", "full"])
def test_davis(tmp_path, dataset, resolution):
    benchmark = open_benchmark(write_benchmark_tree(tmp_path, dataset, resolution=resolution))
    full = "1080p" if dataset == "davis2016" else "Full-Resolution"
    folder = full if resolution == "full" else "480p"
    assert benchmark.output_height is None
    for sequence, video in zip(benchmark.sequences, DAVIS_VIDEOS, strict=True):
        stems = [f"{t:05d}" for t in range(video.num_frames)]
        images, masks = (
            tmp_path / kind / folder / sequence.name for kind in ("JPEGImages", "Annotations")
        )
        assert tuple(sequence.frames) == tuple(images / f"{stem}.jpg" for stem in stems)
        assert sequence.given == {0: GivenMask(masks / "00000.png")}
        assert sequence.truth == {t: masks / f"{stem}.png" for t, stem in enumerate(stems)}
        assert sequence.saved == tuple(range(len(stems)))
        assert not sequence.spans
        assert not sequence.categories


def test_davis_full_frames_to_480p(tmp_path):
    options = write_benchmark_tree(tmp_path, "davis2017", resolution="full_to_480p")
    benchmark = open_benchmark(options)
    assert benchmark.output_height == 480
    for sequence, video in zip(benchmark.sequences, DAVIS_VIDEOS, strict=True):
        for path in (sequence.frames[0], sequence.given[0].path):
            assert path.parts[-3] == "Full-Resolution"
        assert sorted(sequence.truth) == list(range(len(sequence.frames)))
        height, width = video.size
        for path in sequence.truth.values():
            assert path.parts[-3] == "480p"
            assert read(path).shape == (480, -(-width * 480 // height))
    shutil.rmtree(tmp_path / "Annotations/480p")
    refuse("found none of 3: bear, dog-2, dog-10", open_benchmark, options)


@pytest.mark.parametrize("masks_root", [None, "masks"])
def test_davis_test_dev_with_masks_here_or_elsewhere(tmp_path, masks_root):
    root = tmp_path / masks_root if masks_root else None
    options = write_benchmark_tree(tmp_path / "set", "davis2017", split="test-dev", masks_root=root)
    assert (tmp_path / "set/Annotations").exists() == (root is None)
    benchmark = open_benchmark(options)
    assert not benchmark.has_truth
    for sequence, video in zip(benchmark.sequences, DAVIS_VIDEOS, strict=True):
        path = (root or tmp_path / "set") / f"Annotations/480p/{video.name}/00000.png"
        assert sequence.given == {0: GivenMask(path)}
        assert not sequence.truth
        assert len(sequence.saved) == video.num_frames
    assert check_benchmark(options) == []


@pytest.mark.parametrize("folder", ["2016", "480p", "1080p"])
@pytest.mark.parametrize("lines", ["bear\ndog-10\n", None])
def test_lists_of_davis2016(tmp_path, folder, lines):
    options = write_benchmark_tree(tmp_path, "davis2016")
    text = (tmp_path / "ImageSets/480p/val.txt").read_text()
    assert text.startswith("/JPEGImages/480p/bear/00000.jpg /Annotations/480p/bear/00000.png\n")
    shutil.rmtree(tmp_path / "ImageSets")
    (tmp_path / "ImageSets" / folder).mkdir(parents=True)
    (tmp_path / "ImageSets" / folder / "val.txt").write_text(lines or text)
    expected = ["bear", "dog-10"] if lines else ["bear", "dog-2", "dog-10"]
    for split in ("val", "valid"):
        opened = open_benchmark(dataclasses.replace(options, split=split))
        assert [s.name for s in opened.sequences] == expected
