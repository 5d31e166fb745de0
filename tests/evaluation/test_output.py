import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from refusals import refuse

from mavos_jax.evaluation.output import OutputFolder
from mavos_jax.generated.video import SyntheticVideo
from mavos_jax.media.masks import read_mask, write_mask
from mavos_jax.media.results import write_picture

CLIP = SyntheticVideo(seed=1, num_frames=6, height=32, width=48, num_objects=2)
SIZE = (32, 48)


class Frames:
    """The frames of the clip, which may say that their number is unknown."""

    origin, size, frame_rate, name = "a clip", SIZE, None, CLIP.frames.name

    def __init__(self, num_frames):
        self.num_frames = num_frames

    def __iter__(self):
        return iter(CLIP.frames)


def write(output, count, num_frames=6):
    """Writes the results of ``count`` frames of a video that says it has ``num_frames``."""
    with output.writer(Frames(num_frames), None) as add:
        for index in range(count):
            add(f"{index:05d}", CLIP.frame(index), CLIP.mask(index))


def files(root):
    return sorted(str(file.relative_to(root)) for file in root.rglob("*") if file.is_file())


def test_results_of_a_longer_video_are_removed_with_the_first_new_one(tmp_path):
    write(OutputFolder(tmp_path, "pictures"), 4)
    write(OutputFolder(tmp_path / "video", "video"), 1)
    (tmp_path / "video/overlay.mp4").rename(tmp_path / "overlay.mp4")
    shutil.rmtree(tmp_path / "video")
    os.truncate(tmp_path / "masks/00002.png", 0)  # as a power failure leaves them
    os.truncate(tmp_path / "masks/00003.png", os.path.getsize(tmp_path / "masks/00003.png") - 20)
    (tmp_path / "masks/.00001.png.77.partial").write_bytes(b"half")
    kept = ["frames/00003.png", "masks/.mine.partial", "masks/notes.txt", "notes.txt"]
    for name in kept:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("mine")
    before = files(tmp_path)
    output = OutputFolder(tmp_path, overwrite=True)
    write(output, 0)
    assert files(tmp_path) == before  # nothing came in their place
    write(output, 1)
    assert files(tmp_path) == sorted([*kept, "masks/00000.png"])


def test_files_that_no_run_wrote_stay(tmp_path):
    write(OutputFolder(tmp_path, "pictures"), 4)
    masks, overlays = tmp_path / "masks", tmp_path / "overlays"
    write_mask(masks / "my_annotation.png", CLIP.mask(0))
    shutil.copy(masks / "00000.png", masks / "copy.png")
    write_picture(overlays / "mine.jpg", CLIP.frame(0))
    write_mask(masks / "00003.png", CLIP.mask(0))  # mended by hand, then a shorter video
    (tmp_path / "elsewhere.png").write_bytes((masks / "00002.png").read_bytes())
    (masks / "00002.png").unlink()
    (masks / "00002.png").symlink_to(tmp_path / "elsewhere.png")
    (tmp_path / "overlay.mp4").write_text("not of a run")
    write(OutputFolder(tmp_path, overwrite=True), 2, num_frames=2)
    assert files(tmp_path) == [
        "elsewhere.png",
        *[f"masks/{i:05d}.png" for i in range(4)],
        *("masks/copy.png", "masks/my_annotation.png", "overlay.mp4", "overlays/mine.jpg"),
    ]


def test_a_mask_that_was_edited_in_place_is_kept(tmp_path):
    write(OutputFolder(tmp_path), 4)
    path = tmp_path / "masks/00003.png"
    with Image.open(path) as image:
        mark, ids = PngInfo(), np.asarray(image).copy()
        mark.add_text("Software", image.info["Software"])
    ids[:4] = 1
    write_mask(path, ids, mark=mark)  # by an editor that keeps texts
    write(OutputFolder(tmp_path, overwrite=True), 2, num_frames=2)
    np.testing.assert_array_equal(read_mask(path, SIZE)[0], ids)


@pytest.mark.parametrize("name", ["masks/00001.png", "overlays/00002.jpg", "overlay.mp4"])
@pytest.mark.parametrize("num_frames", [6, None])
def test_a_result_takes_no_place_of_a_file_that_no_run_wrote(tmp_path, name, num_frames):
    overlay = "video" if name == "overlay.mp4" else "pictures"
    write(OutputFolder(tmp_path, overlay), 3)
    (tmp_path / name).write_bytes(b"by hand")
    before = {file: (tmp_path / file).read_bytes() for file in files(tmp_path)}
    with pytest.raises(ValueError, match=rf"{name}: .* no run wrote"):
        write(OutputFolder(tmp_path, overlay, overwrite=True), 3, num_frames=num_frames)
    assert (tmp_path / name).read_bytes() == b"by hand"
    if num_frames is not None or overlay == "video":  # found before anything is done
        assert {file: (tmp_path / file).read_bytes() for file in files(tmp_path)} == before


@pytest.mark.parametrize("folder", ["masks", "overlays"])
def test_results_do_not_leave_the_folder_through_a_link(tmp_path, folder):
    (tmp_path / "mine").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / folder).symlink_to(tmp_path / "mine")
    with pytest.raises(ValueError, match=rf"{folder}/.*: expected a path below"):
        OutputFolder(tmp_path / "out", "pictures", overwrite=True)
    (tmp_path / "link").symlink_to(tmp_path / "mine")  # the folder itself may be one
    write(OutputFolder(tmp_path / "link"), 1)
    assert files(tmp_path / "mine") == ["masks/00000.png"]


def test_two_runs_do_not_share_a_folder(tmp_path):
    first, second = (OutputFolder(tmp_path / "out") for _ in range(2))
    with first.writer(CLIP.frames, None) as add:
        add("00000", CLIP.frame(0), CLIP.mask(0))
        refuse(r"out: .* found one at work; wait", write, second, 1)
    with pytest.raises(ValueError, match=r"00000\.png: .* no run wrote|found a file"):
        write(second, 1)  # it was to find an empty folder
    assert files(tmp_path) == ["out/masks/00000.png"]


@pytest.mark.parametrize("is_new", [True, False])
def test_a_run_without_results_leaves_no_folder_of_its_own(tmp_path, is_new):
    if not is_new:
        (tmp_path / "out").mkdir()
    write(OutputFolder(tmp_path / "out"), 0)
    assert (tmp_path / "out").exists() != is_new


def test_results_take_the_place_of_old_ones_when_that_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = [os.fsdecode(b"frame\xff"), "00000"]
    for name in names:
        output = OutputFolder(Path("run:1"), "video", overwrite=name == "00000")
        with output.writer(Frames(1), None) as add:
            add(name, CLIP.frame(0), CLIP.mask(0))
        assert files(tmp_path / "run:1") == [f"masks/{name}.png", "overlay.mp4"]
    refuse(r"found .*00000\.png; .*--overwrite", OutputFolder, Path("run:1"))


def file(root):
    root.write_text("")


def file_above(root):
    root.parent.rmdir()
    root.parent.write_text("")


def dangling_link(root):
    root.symlink_to("nowhere")


def checkpoint(root):
    (root / "weights").mkdir(parents=True)
    (root / "config.json").write_text("{}")


@pytest.mark.parametrize("make", [file, file_above, dangling_link, checkpoint])
def test_what_is_no_folder_for_results_is_refused(tmp_path, make):
    (tmp_path / "above").mkdir()
    make(tmp_path / "above/out")
    refuse(r"above.*; (choose|give) another", OutputFolder, tmp_path / "above/out", overwrite=True)


@pytest.mark.parametrize(
    ("fixed", "output"),
    [("fixed", "fixed"), ("fixed/masks", "fixed"), ("fixed", "fixed/x/y"), (None, "/proc/results")],
)
def test_an_output_that_is_not_writable_is_refused(tmp_path, monkeypatch, fixed, output):
    place, make = tmp_path / fixed if fixed else Path("/proc"), tempfile.TemporaryDirectory
    if fixed:
        place.mkdir(parents=True)

    def deny(prefix, dir):  # permissions do not hold for the user of many containers
        if fixed and Path(dir) == place:
            raise PermissionError(13, "Permission denied")
        return make(prefix=prefix, dir=dir)

    monkeypatch.setattr(tempfile, "TemporaryDirectory", deny)
    refuse(f"{place} takes no new files", OutputFolder, tmp_path / output)


def test_inputs_are_neither_output_nor_replaced(tmp_path, monkeypatch):
    write_mask(tmp_path / "masks/00000.png", np.ones((32, 48), np.uint8))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"\.: .* found the folder of frames"):
        OutputFolder(Path(), overwrite=True, inputs=[tmp_path])
    for name in ("masks/00000.png", "masks", "overlays", "overlay.mp4"):
        with pytest.raises(ValueError, match=rf"{name}: expected the input apart from results"):
            OutputFolder(tmp_path, overwrite=True, inputs=[tmp_path / name])
    OutputFolder(tmp_path, overwrite=True, inputs=[tmp_path / "frames"])
