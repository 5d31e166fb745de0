"""What is wrong with a data set is said in one line that names the place."""

import dataclasses
import json
import pickle
import shutil

import numpy as np
import pytest
from data import trees
from PIL import Image

from mavos_jax.config.data import SourceConfig
from mavos_jax.datasets import DamagedSample, open_source
from mavos_jax.datasets.opening import open_files


def refuses(call, *words):
    """The error of a call, whose one line has all the words."""
    with pytest.raises(ValueError, match=r"^.*expected .*found.*$") as error:
        call()
    message = str(error.value)
    assert "\n" not in message
    for word in words:
        assert word in message
    return error.value


def fails(source, *words):
    refuses(lambda: open_source(source), *words)


@pytest.mark.parametrize("kind", trees.KINDS)
def test_a_wrong_root(tmp_path, kind):
    source = SourceConfig(kind=kind, root=str(tmp_path / "set"))
    fails(source, str(tmp_path / "set"), "expected the folder of a data set, found nothing")
    (tmp_path / "set" / "photos").mkdir(parents=True)
    fails(source, str(tmp_path / "set"), "expected", "found")
    if not kind.startswith("davis"):
        fails(source, "{JPEGImages,Annotations} under it, found photos")
    (tmp_path / "file").write_text("")
    fails(dataclasses.replace(source, root=str(tmp_path / "file")), "found a file")


def test_davis_without_a_resolution(tmp_path):
    source = trees.write_tree(tmp_path, "davis2017")
    for resolution in ("480p", "Full-Resolution"):
        shutil.rmtree(tmp_path / "Annotations" / resolution)
    fails(source, "480p or Full-Resolution", "found Full-Resolution, 480p and an empty folder")


@pytest.mark.parametrize("kind", ["davis2017", "mose", "lvos", "youtube_vos", "folder"])
def test_sequences_with_first_masks_alone_are_named(tmp_path, kind):
    source = trees.write_tree(tmp_path, kind)
    files = open_files(source).sequences[1]
    for index in range(1, len(files)):
        files.mask_path(index).unlink()
    name = files.name
    fails(source, "at least 2 frames with masks in every sequence", f"fewer in 1: {name};")


def test_a_folder_whose_list_names_what_is_not_there(tmp_path):
    source = trees.write_tree(tmp_path, "folder")
    (tmp_path / "val.txt").write_text("bike\ncat\n")
    fails(source, "ImageSets/train.txt: expected the list", "no folder")
    fails(dataclasses.replace(source, split="val"), "found none for 1: cat")


def test_static_images_without_masks_or_with_a_split(tmp_path):
    source = trees.write_tree(tmp_path, "static")
    fails(dataclasses.replace(source, split="val"), "expected split train", "found 'val'")
    shutil.rmtree(tmp_path / "Annotations")
    (tmp_path / "Annotations").mkdir()
    fails(source, "found 6 images and no mask of theirs in COCO, ECSSD")


def test_youtube_vos_without_objects_seen_twice(tmp_path):
    source = trees.write_tree(tmp_path, "youtube_vos")
    path = tmp_path / "train" / "meta.json"
    path.write_text(json.dumps({"videos": {"a2": {"objects": {"1": {"frames": ["00000"]}}}}}))
    fails(source, str(path), "videos of 2 frames or more, found none in 1")


def test_youtube_vos_of_two_years(tmp_path):
    for year in ("2018", "2019"):
        source = trees.write_tree(tmp_path / year, "youtube_vos")
    fails(dataclasses.replace(source, root=str(tmp_path)), "expected one year", "2018 and 2019")


def test_generated_sets():
    fails(SourceConfig(split="val"), "expected train, eventful or held_out", "'val'")
    fails(SourceConfig(format="records"), "format of a generated set: expected files")
    fails(SourceConfig(num_videos=2**29), f"at most {2**29 - 1}")


def damages(video, *words):
    error = refuses(lambda: video[1], *words)
    assert isinstance(error, DamagedSample)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@pytest.fixture
def video(tmp_path):
    return open_source(trees.write_tree(tmp_path, "mose"))[0]


@pytest.mark.parametrize("missing", ["frame", "mask"])
def test_a_missing_file_is_damage(video, missing):
    frame, mask = video.files.frames[1], video.files.mask_path(1)
    gone, other = (frame, mask) if missing == "frame" else (mask, frame)
    gone.unlink()
    damages(video, f"{gone}: expected the {missing} of {other}, found no such file")
    assert video[0].frame.shape == (*trees.SIZE, 3)


@pytest.mark.parametrize("kind", ["frame", "mask"])
@pytest.mark.parametrize("damage", ["cut", "empty", "text"])
def test_a_damaged_file_is_damage(video, kind, damage):
    path = video.files.frames[1] if kind == "frame" else video.files.mask_path(1)
    content = path.read_bytes()
    path.write_bytes({"cut": content[: len(content) // 2], "empty": b"", "text": b"no"}[damage])
    damages(video, f"{path}: expected a", "that can be decoded")


def test_a_mask_of_another_size_is_damage(video):
    trees.write_mask(video.files.mask_path(1), np.zeros((12, 16), np.uint8))
    damages(
        video,
        f"{video.files.mask_path(1)}: expected a mask of 24 x 32 (height x width) as its frame "
        f"{video.files.frames[1]}, found 12 x 16",
    )


@pytest.mark.parametrize("mode", ["RGB", "F", "JPEG"])
def test_a_mask_that_holds_no_ids_is_a_mistake_and_no_damage(video, mode):
    path = video.files.mask_path(1)
    if mode == "JPEG":
        Image.new("L", (32, 24)).save(path, format="JPEG")
    else:
        Image.new(mode, (32, 24), 0.5 if mode == "F" else 0).save(path, format="TIFF")
    with pytest.raises(ValueError, match=r"00001\.png: expected .*\bids") as error:
        video[1]
    assert not isinstance(error.value, DamagedSample)


def mistakes(call, *words):
    assert not isinstance(refuses(call, *words), DamagedSample)


@pytest.mark.parametrize("kind", ["folder", "lvos", "mose", "davis2017", "youtube_vos"])
def test_masks_of_0_and_255_alone_in_all_of_a_video(tmp_path, kind):
    videos = open_files(trees.write_tree(tmp_path, kind))
    video, files = videos[0], videos.sequences[0]
    paths = [files.mask_path(index) for index in range(len(files))]
    for index, path in enumerate(paths):
        trees.write_mask(path, trees.mask_ids(index, (255,) if index else ()))
    words = f"found only 0 and 255 in all {len(paths)} masks", "write objects as 1, 2, ..."
    for call in (lambda: video.mask(1), lambda: video[1]):
        mistakes(call, f"{paths[1]}: expected object ids", *words)
    assert not video.mask(0).any()
    # The objects are absent from one frame, some of whose pixels are unknown.
    trees.write_mask(paths[0], trees.mask_ids(0, (1,)))
    assert np.unique(video[1].mask).tolist() == [0, 255]


@pytest.mark.parametrize("kind", [k for k in trees.KINDS if k != "davis2016"])
def test_masks_with_smoothed_edges(tmp_path, kind):
    videos = open_files(trees.write_tree(tmp_path, kind))
    video, path = videos[0], videos.sequences[0].mask_path(0)
    grey = np.zeros(trees.SIZE, np.uint8)
    grey.ravel()[:100] = np.arange(1, 101)
    trees.write_mask(path, grey)
    assert video.mask(0).any()
    grey[-1, -2:] = 101, 255
    trees.write_mask(path, grey)
    mistakes(
        lambda: video.mask(0),
        f"{path}: expected object ids",
        "found 101 different values",
        "without smoothing",
    )


def test_a_binary_mask_may_have_smoothed_edges(tmp_path):
    videos = open_files(trees.write_tree(tmp_path, "davis2016"))
    grey = np.arange(24 * 32).reshape(24, 32).clip(0, 255).astype(np.uint8)
    trees.write_mask(videos.sequences[0].mask_path(0), grey)
    assert np.unique(videos[0].mask(0)).tolist() == [0, 1]


def test_a_deep_frame_is_a_mistake_and_no_damage(video):
    Image.new("I;16", (32, 24)).save(video.files.frames[1], format="PNG")
    mistakes(lambda: video[1], "00001.jpg: expected 8 bits")


def test_an_index_beyond_the_end(video):
    with pytest.raises(IndexError):
        video[3]
    with pytest.raises(IndexError):
        video.mask(-4)
