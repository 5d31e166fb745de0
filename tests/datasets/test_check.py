"""A check names every missing or odd file in a line of its own."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from benchmark_trees import write_benchmark_tree, write_mask
from datasets.tree_videos import LATE_VIDEOS
from PIL import Image, ImageFilter

from mavos_jax.datasets import check_benchmark, open_benchmark


@pytest.fixture
def davis(tmp_path):
    return write_benchmark_tree(tmp_path, "davis2017")


def paths(options, name="bear"):
    """The folders of frames and masks of a sequence."""
    sequence = next(s for s in open_benchmark(options).sequences if s.name == name)
    return sequence.frames[0].parent, sequence.given[0].path.parent


def finds(options, *faults):
    """The check gives exactly these faults: a file and words of its line each, in any order."""
    lines = check_benchmark(options)
    assert all("\n" not in line for line in lines)
    for path, words in faults:
        found = [line for line in lines if line.startswith(f"{path}: expected") and words in line]
        assert len(found) == 1, (path, words, lines)
        lines.remove(found[0])
    assert lines == []


def read(path):
    with Image.open(path) as image:
        return np.asarray(image)


def save(path, values, **options):
    Image.fromarray(values).save(path, **options)


def test_every_fault_has_a_line(davis):
    frames, masks = paths(davis)
    (masks / "00002.png").unlink()
    (frames / "00004.jpg").unlink()
    (frames / "00005.jpg").write_text("nothing")
    save(masks / "00003.png", np.zeros((24, 32), np.uint8))
    shutil.rmtree(frames.with_name("dog-2"))
    finds(
        davis,
        (masks / "00002.png", "the mask of a frame, found no such file"),
        (masks / "00004.png", "the name of a frame"),
        (frames / "00005.jpg", "an image that can be decoded, found: no known image format"),
        (masks / "00003.png", "48 x 64 (height x width) as its frame, found 24 x 32"),
        (masks, "masks of all 6 frames, or first masks alone, found none for 1: 00002"),
        (frames.with_name("dog-2"), "the frames of dog-2"),
    )


def test_frames_of_differing_sizes(davis):
    frames, masks = paths(davis)
    save(frames / "00001.jpg", np.zeros((40, 60, 3), np.uint8))
    finds(
        davis,
        (frames / "00001.jpg", "48 x 64 (height x width) as most frames of bear, found 40 x 60"),
        (masks / "00001.png", "expected a mask of 40 x 60"),
    )


def test_frames_deeper_than_8_bits(davis):
    frames, _ = paths(davis)
    (frames / "00001.jpg").unlink()
    save(frames / "00001.png", np.zeros((48, 64), np.uint16))
    finds(davis, (frames / "00001.png", "8 bits a channel, found mode I;16"))


def test_two_frames_of_one_name(davis):
    frames, _ = paths(davis)
    shutil.copy(frames / "00001.jpg", frames / "00001.png")
    finds(davis, (frames, "one image for each frame name, found 00001.jpg and 00001.png"))


@pytest.mark.parametrize("split", ["val", "test-dev"])
def test_a_frame_left_out_of_the_numbers(tmp_path, split):
    options = write_benchmark_tree(tmp_path, "davis2017", split=split)
    frames, masks = paths(options)
    (frames / "00003.jpg").unlink()
    (masks / "00003.png").unlink(missing_ok=True)
    finds(options, (frames / "00003.jpg", "a frame between its neighbours, found no such file"))


def test_masks_of_the_wrong_kind(davis):
    _, masks = paths(davis)
    ids = [read(masks / f"{t:05d}.png") for t in range(7)]
    save(masks / "00001.png", np.repeat(ids[1][..., None] * np.uint8(90), 3, axis=-1))
    save(masks / "00002.png", ids[2] * np.uint8(90), format="JPEG")
    smooth = Image.fromarray(ids[3] * np.uint8(90)).filter(ImageFilter.GaussianBlur(1))
    smooth.save(masks / "00003.png")
    save(masks / "00004.png", np.uint8(255) * (ids[4] > 0))
    (masks / "00005.png").write_bytes((masks / "00005.png").read_bytes()[:200])
    (masks / "00006.png").rename(masks / "00006.jpg")
    finds(
        davis,
        (masks / "00001.png", "object ids, found PNG of mode RGB"),
        (masks / "00002.png", "a mask stored without loss, found JPEG"),
        (masks / "00003.png", "one id per object, found"),
        (masks / "00004.png", "found only 0 and 255"),
        (masks / "00005.png", "a mask that can be decoded"),
        (masks / "00006.jpg", "an indexed PNG, found a file of another kind"),
    )


@pytest.mark.parametrize("dataset", ["davis2016", "davis2017", "long_time_video", "mose"])
def test_empty_masks_are_odd_where_objects_start(tmp_path, dataset):
    options = write_benchmark_tree(tmp_path, dataset)
    sequence = open_benchmark(options).sequences[0]
    for path in {sequence.given[0].path, *list(sequence.truth.values())[-1:]}:
        write_mask(path, np.zeros(read(path).shape, np.uint8))
    finds(options, (sequence.given[0].path, "at least one object, found an empty mask"))


def test_many_thin_or_far_ids_are_no_smoothing(tmp_path):
    options = write_benchmark_tree(tmp_path, "mose")
    path = open_benchmark(options).sequences[0].given[0].path
    ids = np.zeros((48, 64), np.uint8)
    for number in range(1, 13):
        ids[2 * number] = number
        ids[:, 4 * number : 4 * number + 2] = 10 * number
    write_mask(path, ids)
    finds(options)


def test_smoothed_masks_of_binary_sets(tmp_path):
    options = write_benchmark_tree(tmp_path, "davis2016")
    _, masks = paths(options)
    Image.fromarray(read(masks / "00003.png")).filter(ImageFilter.GaussianBlur(1)).save(
        masks / "00003.png"
    )
    finds(options, (masks / "00003.png", "one id per object, found"))


def test_the_metadata_of_another_set(tmp_path):
    options = write_benchmark_tree(tmp_path, "youtube_vos2019")
    path = tmp_path / "2019" / "valid" / "meta.json"
    meta = json.loads(path.read_text())
    del meta["videos"]["dog-10"]
    objects = meta["videos"]["dog-2"]["objects"]
    objects["9"] = objects.pop("7")
    objects["2"]["frames"].append("00077")
    path.write_text(json.dumps(meta))
    frames, masks = (tmp_path / "2019" / "valid" / k for k in ("JPEGImages", "Annotations"))
    finds(
        options,
        (frames / "dog-10", f"a sequence of {path}"),
        (masks / "dog-10", f"a sequence of {path}"),
        (frames / "dog-2" / "00077.jpg", f"the frame that {path} lists"),
        (frames / "dog-2", "none for 1: 00077"),
        (masks / "dog-2" / "00002.png", "lists (2, 5, 9), found 7;"),
        (masks / "dog-2" / "00002.png", "expected object 9, which"),
        (masks / "dog-2" / "00006.png", "lists (2, 5, 9), found 7;"),
    )
    finds(dataclasses.replace(options, sequences=("bear",)))


def test_a_wrong_list_where_opening_succeeds(tmp_path):
    options = write_benchmark_tree(tmp_path, "lvos1")
    path = tmp_path / "valid_meta.json"
    meta = json.loads(path.read_text())
    meta["videos"]["bear"]["objects"]["4"] = meta["videos"]["bear"]["objects"].pop("2")
    path.write_text(json.dumps(meta))
    open_benchmark(options)
    lines = check_benchmark(options)
    first = str(tmp_path / "valid" / "Annotations" / "bear" / "00000001.png")
    assert sum("lists (1, 4), found 2;" in line for line in lines) > 1
    assert next(line for line in lines if "expected object 4, which" in line).startswith(first)


@pytest.mark.parametrize("dataset", ["mose", "folder"])
def test_masks_without_frames(tmp_path, dataset):
    options = write_benchmark_tree(tmp_path, dataset)
    _, masks = paths(options, "dog-2")
    shutil.copytree(masks, masks.with_name("horse"))
    origin = masks.parent.with_name("JPEGImages")
    finds(options, (masks.with_name("horse"), f"a sequence of {origin}, found none"))


def test_masks_at_480p_have_their_own_size(tmp_path):
    options = write_benchmark_tree(tmp_path, "davis2017", resolution="full_to_480p")
    finds(options)
    path = tmp_path / "Annotations" / "480p" / "bear" / "00002.png"
    write_mask(path, LATE_VIDEOS[0].draw(2)[1])
    finds(options, (path, "480 x 640 (height x width) as its frame, found 48 x 64"))


def test_progress(davis):
    steps = []
    check_benchmark(davis, lambda done, total: steps.append((done, total)))
    assert steps == [(0, 3), (1, 3), (2, 3), (3, 3)]
