"""Files as people have them: training takes and refuses what inference and benchmarks do."""

import dataclasses
import os

import numpy as np
import pytest
from data import trees
from PIL import Image

from mavos_jax.config.data import SourceConfig
from mavos_jax.datasets import DamagedSample
from mavos_jax.datasets.check import MaskContext, find_mask_faults
from mavos_jax.datasets.opening import open_files
from mavos_jax.media.masks import read_mask


def test_files_among_frames_that_are_no_pictures_are_told(tmp_path):
    videos = open_files(trees.write_tree(tmp_path, "folder"))
    assert videos.notes == ()
    folder = videos.sequences[0].frames[0].parent
    (folder / "notes.txt").write_text("")
    (note,) = open_files(SourceConfig("folder", str(tmp_path))).notes
    assert note == f"left out: 1 file is no picture: {folder / 'notes.txt'}"


@pytest.mark.parametrize("kind", ["folder", "mose", "davis2017"])
def test_a_mask_without_its_frame_is_named(tmp_path, kind):
    source = trees.write_tree(tmp_path, kind)
    files = open_files(source).sequences[0]
    files.frames[1].rename(files.frames[1].with_suffix(".xyz"))  # is not read
    with pytest.raises(ValueError, match=f"{files.mask_path(1)}: expected the name of a frame"):
        open_files(source)


@pytest.mark.parametrize("suffix", [".tif", ".webp", ".BMP"])
def test_frames_of_any_format_are_trained_on(tmp_path, suffix):
    source = trees.write_tree(tmp_path, "mose")
    video = open_files(source)[0]
    path = open_files(source).sequences[0].frames[1]
    frame = video[1].frame
    Image.fromarray(frame).save(path.with_suffix(suffix), lossless=True)
    path.unlink()
    np.testing.assert_array_equal(open_files(source)[0][1].frame, frame)


def test_a_pipe_among_the_frames_is_named(tmp_path):
    source = trees.write_tree(tmp_path, "mose")
    path = open_files(source).sequences[0].frames[1]
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(DamagedSample, match=f"{path}: expected .*, found a pipe"):
        open_files(source)[0][1]


def test_a_turned_photo_is_trained_on_as_it_is_shown(tmp_path):
    source = trees.write_tree(tmp_path, "mose")
    files = open_files(source).sequences[0]
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(files.mask_path(1)) as image:
        mask = np.asarray(image)
    height, width = mask.shape
    Image.new("RGB", (height, width)).save(files.frames[1], exif=exif)  # stored on its side
    sample = open_files(source)[0][1]
    assert sample.frame.shape[:2] == sample.mask.shape == (height, width)
    trees.write_mask(files.mask_path(1), np.rot90(mask))
    with pytest.raises(DamagedSample, match=r"00001\.png: .* swapped: .* upright"):
        open_files(source)[0][1]


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, bool])
def test_one_mask_is_one_mask_everywhere(tmp_path, dtype):
    source = trees.write_tree(tmp_path, "folder")
    files = open_files(source).sequences[0]
    path = files.mask_path(0)
    ids = np.zeros(trees.SIZE, np.uint8)
    ids[4:15, 4:15] = 1
    path.unlink()
    path = path.with_suffix(".tif")
    Image.fromarray(ids.astype(dtype)).save(path)
    video = open_files(source)[0]
    np.testing.assert_array_equal(video[0].mask, ids)
    np.testing.assert_array_equal(read_mask(path, trees.SIZE)[0], ids)
    context = MaskContext(trees.SIZE, True, True, False, {}, tmp_path)
    assert list(find_mask_faults(path, context)) == []


def test_grey_levels_are_no_ids_anywhere(tmp_path):
    source = trees.write_tree(tmp_path, "folder")
    path = open_files(source).sequences[0].mask_path(0)
    grey = np.zeros(trees.SIZE, np.uint8)
    grey[2:10, 2:10], grey[12:20, 12:20] = 127, 255
    Image.fromarray(grey).save(path)
    context = MaskContext(trees.SIZE, True, True, False, {}, tmp_path)
    (line,) = find_mask_faults(path, context)
    assert line.startswith(f"{path}: expected object ids 1, 2, ..., found grey levels (127)")
    for call in (lambda: read_mask(path, trees.SIZE), lambda: open_files(source)[0][0]):
        with pytest.raises(ValueError, match=r"grey levels .*127.* mavos_jax\.commands\.masks"):
            call()


def test_a_root_may_begin_at_home(tmp_path, monkeypatch):
    source = trees.write_tree(tmp_path / "set", "mose")
    monkeypatch.setenv("HOME", str(tmp_path))
    found = open_files(dataclasses.replace(source, root="~/set"))
    assert found.fingerprint() == open_files(source).fingerprint()
