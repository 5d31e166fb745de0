import dataclasses
import pickle
import shutil

import numpy as np
import pytest
from data import trees

from mavos_jax.config.data import SourceConfig
from mavos_jax.datasets import generated, open_source
from mavos_jax.datasets.files import FileSet
from mavos_jax.datasets.generated import GeneratedSet
from mavos_jax.datasets.opening import open_files
from mavos_jax.generated.recipe import EVENTFUL, VARIED
from mavos_jax.generated.video import SyntheticVideo
from mavos_jax.media.samples import AnnotatedVideo, VideoSet

STATIC = ["COCO/cat", "COCO/dog 2", "ECSSD/cat", "ECSSD/dog 2"]
# Names, lengths, how many are left out, and the ids of the first and the last video.
EXPECTED = {
    "static": (STATIC, [1] * 4, 2, ([0, 1, 2], [0, 1])),
    "davis2016": (["bike", "dog10"], [4, 4], 0, ([0, 1], [0, 1])),
    "davis2017": (["bike", "dog10"], [4, 4], 0, ([0, 1, 2], [0, 1, 2])),
    "youtube_vos": (["a10", "b1"], [4, 3], 1, ([0, 1], [0, 2, 5])),
    "lvos": (["0Alp", "2uIo"], [3, 3], 0, ([0, 1, 3], [0, 1, 3])),
    "mose": (["0a1b", "9c"], [3, 3], 0, ([0, 1, 3], [0, 1, 3])),
    "folder": (["bike", "dog2", "dog10"], [2, 2, 2], 0, ([0, 1, 3], [0, 1, 3])),
}


@pytest.mark.parametrize("kind", trees.KINDS)
def test_every_layout_is_opened(tmp_path, kind):
    source = dataclasses.replace(trees.write_tree(tmp_path, kind), max_gap=7)
    videos = open_source(source)
    assert isinstance(videos, VideoSet)
    assert isinstance(videos, FileSet)
    names, lengths, num_left_out, ids_of_ends = EXPECTED[kind]
    assert [videos[i].name.partition(": ")[2] for i in range(len(videos))] == names
    assert [len(videos[i]) for i in range(len(videos))] == lengths
    assert (videos.max_gap, videos.is_static) == (7, kind == "static")
    assert videos.num_left_out == num_left_out
    for index, ids in zip((0, -1), ids_of_ends, strict=True):
        video = videos[index]
        assert isinstance(video, AnnotatedVideo)
        frame, mask = video[-1]
        assert (frame.shape, frame.dtype) == ((*trees.SIZE, 3), np.uint8)
        assert (mask.shape, mask.dtype) == (trees.SIZE, np.uint8)
        assert np.unique(mask).tolist() == ids
        np.testing.assert_array_equal(video.mask(-1), mask)


@pytest.mark.parametrize("kind", trees.KINDS)
def test_sets_and_videos_survive_pickling(tmp_path, kind, monkeypatch):
    source = trees.write_tree(tmp_path / "set", kind)
    monkeypatch.chdir(tmp_path)
    videos = open_source(dataclasses.replace(source, root="set"))
    frame, mask = videos[0][0]
    stored = pickle.dumps((videos, videos[0]))
    monkeypatch.chdir("/")  # loader processes may stand elsewhere
    copy, video = pickle.loads(stored)
    assert copy.fingerprint() == videos.fingerprint()
    for sample in (copy[0][0], video[0]):
        np.testing.assert_array_equal(sample.frame, frame)
        np.testing.assert_array_equal(sample.mask, mask)


@pytest.mark.parametrize("kind", trees.KINDS)
def test_the_fingerprint_follows_names_and_sizes_alone(tmp_path, kind):
    source = trees.write_tree(tmp_path / "set", kind)
    before = open_source(source).fingerprint()
    elsewhere = shutil.copytree(tmp_path / "set", tmp_path / "elsewhere")
    assert open_source(dataclasses.replace(source, root=str(elsewhere))).fingerprint() == before
    videos = open_files(source)
    for path in (videos.sequences[0].frames[0], videos.sequences[0].mask_path(0)):
        content = path.read_bytes()
        path.write_bytes(content + b"\0")
        names, sizes = videos.fingerprint().split(".")
        assert (names, sizes) != tuple(before.split("."))
        assert names == before.split(".")[0]
        path.write_bytes(content)
    assert videos.fingerprint() == before


def test_other_meanings_of_masks_have_other_fingerprints(tmp_path):
    many = open_source(trees.write_tree(tmp_path, "davis2017"))
    shutil.copytree(tmp_path / "ImageSets" / "2017", tmp_path / "ImageSets" / "2016")
    one = open_source(SourceConfig(kind="davis2016", root=str(tmp_path), split="train"))
    assert np.unique(one[0].mask(0)).tolist() == [0, 1]
    assert one.fingerprint() != many.fingerprint()


def test_opening_reads_no_image(tmp_path):
    source = trees.write_tree(tmp_path, "youtube_vos")
    for path in [*tmp_path.rglob("*.jpg"), *tmp_path.rglob("*.png")]:
        path.write_bytes(b"")
    assert len(open_source(source)) == 2


def test_davis_at_full_resolution_serves_where_480p_is_missing(tmp_path):
    source = trees.write_tree(tmp_path, "davis2017")
    shutil.rmtree(tmp_path / "JPEGImages" / "480p")
    assert "Full-Resolution" in str(open_files(source).sequences[0].frames[0])


def test_youtube_vos_takes_annotated_frames_and_objects_seen_twice(tmp_path):
    videos = open_files(trees.write_tree(tmp_path, "youtube_vos"))
    names = [path.name for path in videos.sequences[1].frames]
    assert names == ["00010.jpg", "00015.jpg", "00020.jpg"]
    # The object 7 is annotated once, so it is background.
    stored = trees.mask_ids(2, (2, 5, 7))
    np.testing.assert_array_equal(videos[1].mask(0), np.where(stored == 7, 0, stored))


@pytest.mark.parametrize("place", [".", "2018", "2019", "2019/train"])
def test_youtube_vos_is_found_with_and_without_its_year(tmp_path, place):
    root = tmp_path / place
    source = trees.write_tree(root.parent if place.endswith("train") else root, "youtube_vos")
    given = root if place.endswith("train") else tmp_path
    assert len(open_source(dataclasses.replace(source, root=str(given)))) == 2


@pytest.mark.parametrize("lists", ["ImageSets", "."])
def test_a_folder_may_have_lists(tmp_path, lists):
    source = trees.write_tree(tmp_path, "folder")
    (tmp_path / "readme.txt").write_text("no list\n")
    assert len(open_source(source)) == 3
    (tmp_path / lists).mkdir(exist_ok=True)
    (tmp_path / lists / "train.txt").write_text("\ufeffdog10\r\n\r\nbike\r\n", encoding="utf-8")
    assert [v.name for v in map(open_source(source).__getitem__, range(2))] == [
        "folder train: bike",
        "folder train: dog10",
    ]


@pytest.mark.parametrize("below", ["480p/bike", "bike", "."])
def test_a_folder_may_be_deeper_or_a_single_one(tmp_path, below):
    trees.write_pairs(tmp_path, below, trees.stems(3))
    videos = open_source(SourceConfig(kind="folder", root=str(tmp_path)))
    assert [len(videos[i]) for i in range(len(videos))] == [3]


def test_a_folder_may_have_splits(tmp_path):
    trees.write_pairs(tmp_path, "bike", trees.stems(2), below="train")
    trees.write_pairs(tmp_path, "cat", trees.stems(3), below="valid")
    source = SourceConfig(kind="folder", root=str(tmp_path), split="val")
    assert len(open_source(source)[0]) == 3


def test_static_ids_are_kept_unless_there_is_255_alone(tmp_path):
    source = trees.write_tree(tmp_path, "static")
    mask = trees.mask_ids(0, (1, 255))
    trees.write_mask(tmp_path / "Annotations" / "ECSSD" / "cat.png", mask)
    videos = open_source(source)
    np.testing.assert_array_equal(videos[2].mask(0), mask)
    assert np.unique(videos[3].mask(0)).tolist() == [0, 1]


def test_hidden_files_are_no_frames(tmp_path):
    source = trees.write_tree(tmp_path, "mose")
    folder = tmp_path / "train" / "JPEGImages"
    (folder / "0a1b" / "._00000.jpg").write_bytes(b"")
    (folder / ".DS_Store").write_bytes(b"")
    (folder / ".cache").mkdir()
    assert len(open_source(source)[0]) == 3


def test_generated_videos_have_seeds_from_1_and_the_size_that_is_asked_for():
    source = SourceConfig(num_videos=9, max_gap=5)
    videos = open_source(source, size=(64, 96))
    assert isinstance(videos, VideoSet)
    assert isinstance(videos, GeneratedSet)
    assert (len(videos), videos.max_gap, videos.is_static) == (9, 5, False)
    assert [videos[i].video.seed for i in (0, 8, -1)] == [1, 9, 9]
    assert sorted({videos[i].video.num_objects for i in range(9)}) == [1, 2, 3, 4]
    assert len(videos[0]) == 30
    sample = pickle.loads(pickle.dumps(videos))[3][2]
    assert isinstance(videos[3], AnnotatedVideo)
    assert sample.frame.shape == (64, 96, 3)
    np.testing.assert_array_equal(sample.mask, videos[3].mask(2))
    with pytest.raises(IndexError):
        videos[9]
    others = open_source(source, size=(64, 80)), open_source(SourceConfig(num_videos=8))
    eventful = open_source(SourceConfig(num_videos=9, max_gap=5, split="eventful"), size=(64, 96))
    assert isinstance(eventful, GeneratedSet)
    assert eventful[3].video.recipe == EVENTFUL
    assert videos[3].video.recipe == VARIED
    assert len({v.fingerprint() for v in (videos, eventful, *others)}) == 4
    assert open_source(source, size=(64, 96)).fingerprint() == videos.fingerprint()


def test_another_generator_has_another_fingerprint(monkeypatch):
    before = open_source(SourceConfig()).fingerprint()
    monkeypatch.setattr(generated, "GENERATOR_VERSION", 99)
    assert open_source(SourceConfig()).fingerprint() != before


def test_held_out_videos_are_named_and_hashed_by_their_recipes(monkeypatch):
    listed = [SyntheticVideo(2**29 + i, 6, 48, 64, 2) for i in range(2)]
    monkeypatch.setattr(generated, "held_out_videos", lambda: tuple(listed))
    videos = open_source(SourceConfig(split="held_out", max_gap=2))
    assert isinstance(videos, VideoSet)
    assert (len(videos), videos.max_gap, videos.is_static) == (2, 2, False)
    assert isinstance(videos[1], AnnotatedVideo)
    assert videos[1].name == f"synthetic held_out: seed {2**29 + 1}"
    assert pickle.loads(pickle.dumps(videos)).fingerprint() == videos.fingerprint()
    listed.reverse()
    assert open_source(SourceConfig(split="held_out")).fingerprint() != videos.fingerprint()
