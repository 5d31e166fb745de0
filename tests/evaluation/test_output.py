import os

import numpy as np
import pytest

from mavos_jax.data.synthetic import SyntheticVideo
from mavos_jax.evaluation.output import OutputFolder
from mavos_jax.media.masks import write_mask

CLIP = SyntheticVideo(seed=1, num_frames=6, height=32, width=48, num_objects=2)


def write(output, num_frames):
    with output.writer(CLIP.frames, None) as add:
        for index in range(num_frames):
            add(f"{index:05d}", CLIP.frame(index), CLIP.mask(index))


def files(root):
    return sorted(str(file.relative_to(root)) for file in root.rglob("*") if file.is_file())


def test_results_of_a_longer_video_are_removed_with_the_first_new_one(tmp_path):
    write(OutputFolder.open(tmp_path, "pictures"), 4)
    (tmp_path / "overlay.mp4").write_text("old")
    kept = ["frames/00003.png", "masks/notes.txt", "notes.txt"]
    for name in kept:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("mine")
    before = files(tmp_path)
    output = OutputFolder.open(tmp_path, overwrite=True)
    write(output, 0)
    assert files(tmp_path) == before  # nothing came in their place
    write(output, 1)
    assert files(tmp_path) == sorted([*kept, "masks/00000.png"])


def test_a_new_video_takes_the_place_of_the_old_one(tmp_path):
    write(OutputFolder.open(tmp_path, "video"), 2)
    before = (tmp_path / "overlay.mp4").read_bytes()
    write(OutputFolder.open(tmp_path, "video", overwrite=True), 3)
    masks = [f"masks/{index:05d}.png" for index in range(3)]
    assert files(tmp_path) == [*masks, "overlay.mp4"]
    assert (tmp_path / "overlay.mp4").read_bytes() != before


def test_an_output_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    for root in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ValueError, match=r"expected a folder to write into, but .*file is a f"):
            OutputFolder.open(root)


@pytest.mark.parametrize("folder", ["fixed", "fixed/masks"])
def test_an_output_that_is_not_writable_is_refused(tmp_path, monkeypatch, folder):
    fixed, access = tmp_path / folder, os.access
    fixed.mkdir(parents=True)
    # Permissions do not hold for the user of many containers.
    monkeypatch.setattr(os, "access", lambda path, mode: path != fixed and access(path, mode))
    with pytest.raises(ValueError, match=rf"but .*{folder} is not writable; give another"):
        OutputFolder.open(tmp_path / "fixed")
    if folder == "fixed":
        with pytest.raises(ValueError, match=r"fixed/x/y: .*fixed is not writable"):
            OutputFolder.open(tmp_path / "fixed" / "x" / "y")


def test_a_checkpoint_is_no_output(tmp_path):
    (tmp_path / "weights").mkdir()
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ValueError, match=r"expected a folder for results, found a checkpoint;"):
        OutputFolder.open(tmp_path, overwrite=True)


def test_inputs_are_neither_output_nor_replaced(tmp_path, monkeypatch):
    mask = tmp_path / "masks" / "00000.png"
    write_mask(mask, np.ones((32, 48), np.uint8))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"\.: expected a folder for results, found the folder of"):
        OutputFolder.open(mask.relative_to(tmp_path).parents[1], overwrite=True, inputs=[tmp_path])
    for path in (mask, tmp_path / "masks", tmp_path / "overlays", tmp_path / "overlay.mp4"):
        with pytest.raises(ValueError, match=r"expected the input apart from results"):
            OutputFolder.open(tmp_path, overwrite=True, inputs=[path])
    OutputFolder.open(tmp_path, overwrite=True, inputs=[tmp_path / "frames"])
