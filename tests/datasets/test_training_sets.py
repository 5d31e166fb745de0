import dataclasses
import pickle
import shutil

import numpy as np
import pytest
from benchmark_trees import write_mask, write_source
from datasets.seen import change_json
from datasets.tree_videos import LATE_VIDEOS

from mavos_jax.config.data import SourceConfig
from mavos_jax.datasets import TRAINING_KINDS, open_source
from mavos_jax.datasets.files import FileSet
from mavos_jax.datasets.opening import open_files
from mavos_jax.generated import sets as generated_sets
from mavos_jax.generated.recipe import EVENTFUL, VARIED
from mavos_jax.generated.sets import GeneratedSet
from mavos_jax.generated.video import SyntheticVideo
from mavos_jax.media.samples import AnnotatedVideo, VideoSet

NAMES, LENGTHS = ["bear", "dog-2", "dog-10"], [7, 5, 6]
STATIC = ["COCO/cat", "COCO/dog 2", "ECSSD/cat", "ECSSD/dog 2"]
# Names, lengths, how many are left out, and the ids of the first and the last video.
EXPECTED = {
    "static": (STATIC, [1] * 4, 2, ([0, 1, 2], [0, 1])),
    "davis2016": (NAMES, LENGTHS, 0, ([0, 1], [0, 1])),
    "davis2017": (NAMES, LENGTHS, 0, ([0, 1, 2], [0, 1, 2])),
    "lvos": (NAMES, [7, 5, 5], 0, ([0, 2], [0, 3])),
}
LATE = (NAMES, LENGTHS, 0, ([0, 1, 2], [0, 1, 3]))


def videos_of(source):
    return list(map(open_files(source).__getitem__, range(len(open_files(source)))))


@pytest.mark.parametrize("kind", TRAINING_KINDS)
def test_every_layout_is_opened_and_survives_pickling(tmp_path, kind, monkeypatch):
    source = dataclasses.replace(write_source(tmp_path / "set", kind), max_gap=7, root="set")
    monkeypatch.chdir(tmp_path)
    videos = open_source(source)
    assert isinstance(videos, VideoSet)
    assert isinstance(videos, FileSet)
    names, lengths, num_left_out, ids_of_ends = EXPECTED.get(kind, LATE)
    assert [video.name for video in videos_of(source)] == [f"{videos.name}: {n}" for n in names]
    assert [len(video) for video in videos_of(source)] == lengths
    assert (videos.max_gap, videos.is_static) == (7, kind == "static")
    assert videos.num_left_out == num_left_out
    monkeypatch.chdir("/")  # loader processes may stand elsewhere
    copy = pickle.loads(pickle.dumps(videos))
    assert copy.fingerprint() == videos.fingerprint()
    for index, ids in zip((0, -1), ids_of_ends, strict=True):
        video, other = videos[index], copy[index]
        assert isinstance(video, AnnotatedVideo)
        frame, mask = video[-1]
        assert (*mask.shape, 3) == frame.shape
        assert frame.dtype == mask.dtype == np.uint8
        assert np.unique(mask).tolist() == ids
        for found in (video.mask(-1), other.mask(-1), other[-1].mask):
            np.testing.assert_array_equal(found, mask)
        np.testing.assert_array_equal(other[-1].frame, frame)


@pytest.mark.parametrize("kind", TRAINING_KINDS)
def test_the_fingerprint_follows_names_and_sizes_alone(tmp_path, kind):
    source = write_source(tmp_path / "set", kind)
    before = open_source(source).fingerprint()
    elsewhere = shutil.copytree(tmp_path / "set", tmp_path / "elsewhere")
    for path in elsewhere.rglob("*.*g"):  # pictures, none of which is read
        path.write_bytes(bytes(path.stat().st_size))
    assert open_source(dataclasses.replace(source, root=str(elsewhere))).fingerprint() == before
    videos = open_files(source)
    for path in (videos.sequences[0].frames[0], videos.sequences[0].mask_path(0)):
        content = path.read_bytes()
        path.write_bytes(content + b"\0")
        names, sizes = videos.fingerprint().split(".")
        assert [names] == before.split(".")[:1]
        assert [sizes] != before.split(".")[1:]
        path.write_bytes(content)
    assert videos.fingerprint() == before


def test_other_meanings_of_masks_have_other_fingerprints(tmp_path):
    many = open_source(write_source(tmp_path, "davis2017"))
    shutil.copytree(tmp_path / "ImageSets/2017", tmp_path / "ImageSets/2016")
    one = open_source(SourceConfig(kind="davis2016", root=str(tmp_path), split="val"))
    assert np.unique(one[0].mask(0)).tolist() == [0, 1]
    assert one.fingerprint() != many.fingerprint()


def test_davis_at_full_resolution_serves_where_480p_is_missing(tmp_path):
    source = write_source(tmp_path, "davis2017")
    for kind in ("JPEGImages", "Annotations"):
        shutil.copytree(tmp_path / kind / "480p", tmp_path / kind / "Full-Resolution")
    for folder in ("480p", "Full-Resolution"):
        assert open_files(source).sequences[0].frames[0].parts[-3] == folder
        shutil.rmtree(tmp_path / "JPEGImages" / folder)


def test_youtube_vos_takes_annotated_frames_and_objects_seen_twice(tmp_path):
    source = write_source(tmp_path, "youtube_vos")
    with change_json(tmp_path / "2019/train/meta.json") as meta:
        meta["videos"]["dog-2"]["objects"]["7"]["frames"] = ["00002"]
        meta["videos"]["bear"]["objects"] = {"1": {"frames": ["00002"]}}
    videos = open_files(source)
    assert (len(videos), videos.num_left_out) == (2, 1)
    names = [path.name for path in videos.sequences[0].frames]
    assert names == [f"{t:05d}.jpg" for t in range(2, 12, 2)]
    stored = LATE_VIDEOS[1].mask(0, 2)
    np.testing.assert_array_equal(videos[0].mask(0), np.where(stored == 7, 0, stored))


@pytest.mark.parametrize("place", [".", "2019", "2019/train"])
def test_youtube_vos_is_found_with_and_without_its_year(tmp_path, place):
    source = write_source(tmp_path, "youtube_vos")
    assert len(open_source(dataclasses.replace(source, root=str(tmp_path / place)))) == 3
    (tmp_path / "2019/train").rename(tmp_path / "train")
    assert len(open_source(source)) == 3


@pytest.mark.parametrize("lists", ["ImageSets", "."])
def test_a_folder_may_have_lists(tmp_path, lists):
    source = write_source(tmp_path, "folder")
    (tmp_path / "readme.txt").write_text("no list\n")
    assert len(open_source(source)) == 3
    (tmp_path / lists).mkdir(exist_ok=True)
    text = "\ufeffdog-10\r\n\r\nbear\r\n"
    (tmp_path / lists / "val.txt").write_text(text, encoding="utf-8")
    names = [video.name for video in videos_of(source)]
    assert names == ["folder val: bear", "folder val: dog-10"]
    assert len(open_source(dataclasses.replace(source, split="valid"))) == 2


def test_static_ids_are_kept_unless_there_is_255_alone(tmp_path):
    source = write_source(tmp_path, "static")
    mask = LATE_VIDEOS[0].mask(0)
    mask[mask == 2] = 255
    write_mask(tmp_path / "Annotations/ECSSD/cat.png", mask)
    videos = open_source(source)
    np.testing.assert_array_equal(videos[2].mask(0), mask)
    assert np.unique(videos[3].mask(0)).tolist() == [0, 1]


def test_files_that_are_no_frames(tmp_path, monkeypatch):
    source = write_source(tmp_path, "mose")
    folder = tmp_path / "train/JPEGImages"
    (folder / "bear/._00000.jpg").write_bytes(b"")
    (folder / ".DS_Store").write_bytes(b"")
    (folder / ".cache").mkdir()
    assert open_files(source).notes == ()
    (folder / "bear/notes.txt").write_text("")
    (note,) = open_files(source).notes
    assert str(folder / "bear/notes.txt") in note
    assert [len(video) for video in videos_of(source)] == LENGTHS
    monkeypatch.setenv("HOME", str(tmp_path))
    at_home = open_source(dataclasses.replace(source, root="~"))
    assert at_home.fingerprint() == open_source(source).fingerprint()


def test_generated_videos_have_seeds_from_1_and_the_size_that_is_asked_for(monkeypatch):
    source = SourceConfig(num_videos=9, max_gap=5)
    videos = open_source(source, size=(64, 96))
    assert isinstance(videos, VideoSet)
    assert isinstance(videos, GeneratedSet)
    assert (len(videos), videos.max_gap, videos.is_static) == (9, 5, False)
    assert [videos[i].video.seed for i in (0, 8, -1)] == [1, 9, 9]
    assert sorted({videos[i].video.num_objects for i in range(9)}) == [1, 2, 3, 4]
    assert len(videos[0]) == 30
    assert isinstance(videos[3], AnnotatedVideo)
    sample = pickle.loads(pickle.dumps(videos))[3][2]
    assert sample.frame.shape == (64, 96, 3)
    np.testing.assert_array_equal(sample.mask, videos[3].mask(2))
    with pytest.raises(IndexError):
        videos[9]
    eventful = open_source(dataclasses.replace(source, split="eventful"), size=(64, 96))
    assert isinstance(eventful, GeneratedSet)
    assert (videos[3].video.recipe, eventful[3].video.recipe) == (VARIED, EVENTFUL)
    others = open_source(source, size=(64, 80)), open_source(SourceConfig(num_videos=8))
    assert len({v.fingerprint() for v in (videos, eventful, *others)}) == 4
    before = videos.fingerprint()
    assert open_source(source, size=(64, 96)).fingerprint() == before
    monkeypatch.setattr(generated_sets, "GENERATOR_VERSION", 99)
    assert videos.fingerprint() != before


def test_held_out_videos_are_named_and_hashed_by_their_recipes(monkeypatch):
    listed = [SyntheticVideo(2**29 + i, 6, 48, 64, 2) for i in range(2)]
    monkeypatch.setattr(generated_sets, "held_out_videos", lambda: tuple(listed))
    source = SourceConfig(split="held_out", max_gap=2)
    videos = open_source(source)
    assert isinstance(videos, VideoSet)
    assert (len(videos), videos.max_gap, videos.is_static) == (2, 2, False)
    assert isinstance(videos[1], AnnotatedVideo)
    assert videos[1].name == f"synthetic held_out: seed {2**29 + 1}"
    assert pickle.loads(pickle.dumps(videos)).fingerprint() == videos.fingerprint()
    listed.reverse()
    assert open_source(source).fingerprint() != videos.fingerprint()
