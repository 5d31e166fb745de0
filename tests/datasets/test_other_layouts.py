"""DAVIS, Long-Time Video, MOSEv2, SA-V, VOST and any folder, by their own rules."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from benchmark_trees import write_benchmark_tree, write_mask
from datasets.seen import contents, given, names, read
from datasets.tree_videos import DAVIS_VIDEOS
from refusals import refuse

from mavos_jax.config import SourceConfig
from mavos_jax.datasets import BenchmarkOptions, GivenMask, check_benchmark, open_benchmark
from mavos_jax.datasets.opening import open_source


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


@pytest.mark.parametrize("folder", ["ImageSets", "."])
def test_long_time_video(tmp_path, folder):
    options = write_benchmark_tree(tmp_path, "long_time_video")
    if folder == ".":
        (tmp_path / "ImageSets/val.txt").rename(tmp_path / "val.txt")
    for sequence in open_benchmark(options).sequences:
        # Frames 7 to 14; 8, 10, 12 and 14 are labelled. As text, 10 would come before 8.
        assert names(sequence.frames) == [str(number) for number in range(8, 15)]
        masks = tmp_path / "Annotations" / sequence.name
        assert sequence.given == {0: GivenMask(masks / "8.png")}
        assert sequence.truth == {t: masks / f"{8 + t}.png" for t in (0, 2, 4, 6)}
        assert sequence.saved == (0, 2, 4, 6)


@pytest.mark.parametrize("form", ["list", "dict", "none"])
def test_objects_of_mosev2(tmp_path, form):
    options = write_benchmark_tree(tmp_path, "mosev2", split="train")
    path = tmp_path / "meta_train.json"
    meta = json.loads(path.read_text())
    for video in meta["videos"].values() if form == "dict" else ():
        video["objects"] = {number: {"category": "x"} for number in video["objects"]}
    path.write_text(json.dumps(meta))
    if form == "none":
        path.unlink()
    two = open_benchmark(options).sequences[1]
    assert two.spans == ({} if form == "none" else {2: (), 5: (), 7: ()})
    assert check_benchmark(options) == []
    if form != "none":
        meta["videos"]["owl"] = meta["videos"][two.name]
        path.write_text(json.dumps(meta))
        refuse("JPEGImages/owl: expected the frames of owl", open_benchmark, options)
        part = dataclasses.replace(options, sequences=(two.name,))
        assert len(open_benchmark(part).sequences) == 1


def test_an_object_of_sav_starts_where_it_is_first_seen(tmp_path):
    options = write_benchmark_tree(tmp_path, "sav")
    sequences = {s.name: s for s in open_benchmark(options).sequences}
    assert list(sequences)[:3] == ["bear/000", "bear/001", "dog-2/000"]
    assert sequences["bear/000"].saved == (0, 2, 3, 4, 5, 6)
    late = sequences["dog-2/001"]
    assert given(late) == {0: ("00002", None)}
    assert names(late.frames) == ["00002", "00003", "00004"]
    assert late.saved == tuple(sorted(late.truth)) == (0, 1, 2)
    folder = late.given[0].path.parent
    for path in folder.iterdir():
        write_mask(path, np.zeros((64, 96), np.uint8))
    refuse(f"{folder}: expected an object, found only empty masks", open_benchmark, options)
    one = dataclasses.replace(options, root=tmp_path / "sav_val", sequences=("bear/001",))
    assert len(open_benchmark(one).sequences) == 1


def test_frames_of_vost_between_the_labelled_ones(tmp_path):
    options = write_benchmark_tree(tmp_path, "vost", all_frames=True)
    bear = open_benchmark(options).sequences[0]
    assert len(bear.frames) == 14
    assert bear.saved == tuple(range(0, 14, 2)) == tuple(sorted(bear.truth))
    listed = open_benchmark(dataclasses.replace(options, all_frames=False)).sequences[0]
    assert names(listed.frames) == [path.stem for path in bear.truth.values()]
    assert check_benchmark(options) == []
    for sequence in open_benchmark(options).sequences:
        for path in list(sequence.truth.values())[1:]:
            path.unlink()
    (tmp_path / "ImageSets/val.txt").rename(tmp_path / "ImageSets/test.txt")
    bear = open_benchmark(dataclasses.replace(options, split="test")).sequences[0]
    assert bear.saved == tuple(range(14))


def move(root, old, new):
    for kind in ("JPEGImages", "Annotations"):
        place = root / new.format(kind)
        place.parent.mkdir(parents=True, exist_ok=True)
        (root / old.format(kind)).rename(place)


def test_any_folder(tmp_path):
    options = write_benchmark_tree(tmp_path, "folder")
    expected = contents(options)
    move(tmp_path, "{}", "val/{}")
    assert contents(options) == expected
    # An object that is in no mask but its first cannot be scored.
    for t in (4, 5):
        (tmp_path / f"val/Annotations/dog-10/{t:05d}.png").unlink()
    (ten,) = open_benchmark(dataclasses.replace(options, sequences=("dog-10",))).sequences
    assert given(ten) == {0: ("00000", (1,)), 3: ("00003", (3,))}
    assert not ten.truth


def test_a_folder_starts_where_the_first_object_is(tmp_path):
    options = write_benchmark_tree(tmp_path, "folder")
    masks = tmp_path / "Annotations/bear"
    write_mask(masks / "00000.png", np.zeros((48, 64), np.uint8))
    assert check_benchmark(options) == []
    for first in (1, 2):
        bear = open_benchmark(options).sequences[0]
        assert names(bear.frames) == [f"{t:05d}" for t in range(first, 7)]
        assert given(bear) == {0: (f"{first:05d}", (1, 2))}
        assert sorted(bear.truth) == list(range(7 - first))
        (masks / "00001.png").unlink(missing_ok=True)


@pytest.mark.parametrize(("place", "name"), [("{}/birds/bear", "birds/bear"), ("one/{}", "frames")])
def test_nested_and_single_folders_are_opened_as_training_opens_them(tmp_path, place, name):
    write_benchmark_tree(tmp_path, "folder")
    move(tmp_path, "{}/bear", place)
    root = tmp_path / "one" if place == "one/{}" else tmp_path
    options = BenchmarkOptions("folder", "val", root)
    names = [sequence.name for sequence in open_benchmark(options).sequences]
    assert names[0] == name
    videos = open_source(SourceConfig("folder", str(root)))
    assert [videos[i].name.split(": ")[1] for i in range(len(videos))] == names
    assert check_benchmark(options) == []
