"""DAVIS: resolutions, lists, masks in another root."""

import dataclasses
import shutil

import pytest
from benchmark_trees import write_benchmark_tree
from datasets.seen import read
from datasets.tree_videos import DAVIS_VIDEOS

from mavos_jax.datasets import GivenMask, check_benchmark, open_benchmark

DAVIS = {video.name: video for video in DAVIS_VIDEOS}


@pytest.mark.parametrize("dataset", ["davis2016", "davis2017"])
@pytest.mark.parametrize("resolution", ["480p", "full"])
def test_davis(tmp_path, dataset, resolution):
    benchmark = open_benchmark(write_benchmark_tree(tmp_path, dataset, resolution=resolution))
    full = "1080p" if dataset == "davis2016" else "Full-Resolution"
    folder = full if resolution == "full" else "480p"
    assert benchmark.output_height is None
    for sequence in benchmark.sequences:
        count = DAVIS[sequence.name].num_frames
        stems = [f"{t:05d}" for t in range(count)]
        masks = tmp_path / "Annotations" / folder / sequence.name
        images = tmp_path / "JPEGImages" / folder / sequence.name
        assert tuple(sequence.frames) == tuple(images / f"{stem}.jpg" for stem in stems)
        assert sequence.given == {0: GivenMask(masks / "00000.png")}
        assert sequence.truth == {t: masks / f"{stem}.png" for t, stem in enumerate(stems)}
        assert sequence.saved == tuple(range(count))
        assert not sequence.spans
        assert not sequence.categories


def test_davis_full_frames_to_480p(tmp_path):
    options = write_benchmark_tree(tmp_path, "davis2017", resolution="full_to_480p")
    benchmark = open_benchmark(options)
    assert benchmark.output_height == 480
    for sequence in benchmark.sequences:
        assert sequence.frames[0].parent.parent.name == "Full-Resolution"
        assert sequence.given[0].path.parent.parent.name == "Full-Resolution"
        assert sorted(sequence.truth) == list(range(len(sequence.frames)))
        height, width = DAVIS[sequence.name].size
        for path in sequence.truth.values():
            assert path.parent.parent.name == "480p"
            assert read(path).shape == (480, -(-width * 480 // height))
    shutil.rmtree(tmp_path / "Annotations" / "480p")
    with pytest.raises(ValueError, match="of all 3 sequences, found none of 3: bear, dog-2, dog-"):
        open_benchmark(options)


def test_davis_test_dev_with_masks_here_or_elsewhere(tmp_path):
    here = write_benchmark_tree(tmp_path / "here", "davis2017", split="test-dev")
    options = write_benchmark_tree(
        tmp_path / "set", "davis2017", split="test-dev", masks_root=tmp_path / "masks"
    )
    assert not (tmp_path / "set" / "Annotations").exists()
    for choice, root in ((here, tmp_path / "here"), (options, tmp_path / "masks")):
        benchmark = open_benchmark(choice)
        assert not benchmark.has_truth
        for sequence in benchmark.sequences:
            path = root / "Annotations" / "480p" / sequence.name / "00000.png"
            assert sequence.given == {0: GivenMask(path)}
            assert not sequence.truth
            assert len(sequence.saved) == DAVIS[sequence.name].num_frames
        assert check_benchmark(choice) == []


@pytest.mark.parametrize("folder", ["2016", "480p", "1080p"])
@pytest.mark.parametrize("lines", ["bear\ndog-10\n", None])
def test_lists_of_davis2016(tmp_path, folder, lines):
    options = write_benchmark_tree(tmp_path, "davis2016")
    written = tmp_path / "ImageSets" / "480p" / "val.txt"
    text = written.read_text()
    assert text.startswith("/JPEGImages/480p/bear/00000.jpg /Annotations/480p/bear/00000.png\n")
    shutil.rmtree(tmp_path / "ImageSets")
    (tmp_path / "ImageSets" / folder).mkdir(parents=True)
    (tmp_path / "ImageSets" / folder / "val.txt").write_text(lines or text)
    expected = ["bear", "dog-10"] if lines else ["bear", "dog-2", "dog-10"]
    for split in ("val", "valid"):
        opened = open_benchmark(dataclasses.replace(options, split=split))
        assert [s.name for s in opened.sequences] == expected
