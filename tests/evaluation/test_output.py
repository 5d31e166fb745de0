import json
import math
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
from mavos_jax.evaluation.results_json import encode_rle, write_results_json
from mavos_jax.generated.video import SyntheticVideo
from mavos_jax.media.masks import read_mask, write_mask
from mavos_jax.media.results import is_marked, write_picture

CLIP = SyntheticVideo(seed=1, num_frames=6, height=32, width=48, num_objects=2)
SIZE = (32, 48)


class Frames:
    """The frames of the clip, which may say that their number is unknown."""

    origin, size, frame_rate, name = "a clip", SIZE, None, CLIP.frames.name

    def __init__(self, num_frames):
        self.num_frames = num_frames

    def __iter__(self):
        return iter(CLIP.frames)


def write(output, count, num_frames=6, soft=None):
    """Writes the results of ``count`` frames of a video that says it has ``num_frames``."""
    with output.writer(Frames(num_frames), None) as add:
        for index in range(count):
            name = f"{index:05d}"
            add.judged(name, {3: (1.0, 1.0, True), 7: (math.nan, 0.0, False)}, soft or {})
            add.frame(name, CLIP.frame(index), CLIP.mask(index))


def files(root):
    return sorted(str(file.relative_to(root)) for file in root.rglob("*") if file.is_file())


def test_results_of_a_longer_video_are_removed_with_the_first_new_one(tmp_path):
    soft = {7: np.arange(32 * 48).reshape(SIZE).astype(np.uint8)}
    write(OutputFolder(tmp_path, "pictures", rle=True), 4, soft=soft)
    with Image.open(tmp_path / "soft/7/00003.png") as image:
        np.testing.assert_array_equal(image, soft[7])
    write(OutputFolder(tmp_path / "video", "video"), 1)
    (tmp_path / "video/overlay.mp4").rename(tmp_path / "overlay.mp4")
    shutil.rmtree(tmp_path / "video")
    os.truncate(tmp_path / "masks/00002.png", 0)  # as a power failure leaves them
    os.truncate(tmp_path / "masks/00003.png", os.path.getsize(tmp_path / "masks/00003.png") - 20)
    (tmp_path / f"masks/.00001.png.{os.getpid() + 1}.partial").write_bytes(b"half")
    own = f".confidence.csv.{os.getpid()}.partial"  # in a container every process has one id
    kept = ["frames/00003.png", "masks/.mine.partial", "masks/notes.txt", "notes.txt"]
    (tmp_path / own).write_text("half")
    for name in kept:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("mine")
    before = files(tmp_path)
    output = OutputFolder(tmp_path, overwrite=True)
    write(output, 0)
    assert files(tmp_path) == before  # nothing came in their place
    write(output, 1)
    assert files(tmp_path) == sorted([*kept, "confidence.csv", "masks/00000.png"])
    header, *rows = (tmp_path / "confidence.csv").read_text().splitlines()
    assert header == "frame,id,confidence,margin,present"
    assert rows == ["00000,3,1.000000,1.000000,1", "00000,7,nan,0.000000,0"]
    assert is_marked(tmp_path / "confidence.csv")
    (tmp_path / "confidence.csv").write_text(f"{header}\n00000,3,1,1,1\n")  # as spreadsheets save
    assert not is_marked(tmp_path / "confidence.csv")


def test_files_that_no_run_wrote_stay(tmp_path):
    write(OutputFolder(tmp_path, "pictures"), 4)
    masks, overlays = tmp_path / "masks", tmp_path / "overlays"
    write_mask(masks / "my_annotation.png", CLIP.mask(0))
    shutil.copy(masks / "00000.png", masks / "copy.png")
    write_picture(overlays / "mine.jpg", CLIP.frame(0))
    with Image.open(masks / "00003.png") as image:
        mark, mended = PngInfo(), np.asarray(image).copy()
        mark.add_text("Software", image.info["Software"])
    mended[:4] = 1
    write_mask(masks / "00003.png", mended, mark=mark)  # by an editor that keeps texts
    (tmp_path / "elsewhere.png").write_bytes((masks / "00002.png").read_bytes())
    (masks / "00002.png").unlink()
    (masks / "00002.png").symlink_to(tmp_path / "elsewhere.png")
    (tmp_path / "overlay.mp4").write_text("not of a run")
    write(OutputFolder(tmp_path, overwrite=True), 2, num_frames=2)
    assert files(tmp_path) == [
        *("confidence.csv", "elsewhere.png"),
        *[f"masks/{i:05d}.png" for i in range(4)],
        *("masks/copy.png", "masks/my_annotation.png", "overlay.mp4", "overlays/mine.jpg"),
    ]
    np.testing.assert_array_equal(read_mask(masks / "00003.png", SIZE)[0], mended)


@pytest.mark.parametrize(
    ("name", "overlay"),
    [
        *(("masks/00001.png", "none"), ("overlays/00002.jpg", "pictures")),
        *(("overlay.mp4", "video"), ("results.json", "none")),
        *(("confidence.csv", "none"), ("soft/7/00002.png", "none")),
    ],
)
@pytest.mark.parametrize("num_frames", [6, None])
def test_a_result_takes_no_place_of_a_file_that_no_run_wrote(tmp_path, name, overlay, num_frames):
    soft = {7: np.zeros(SIZE, np.uint8)}
    write(OutputFolder(tmp_path, overlay, rle=True), 3, soft=soft)
    (tmp_path / name).write_bytes(b"by hand")
    before = {file: (tmp_path / file).read_bytes() for file in files(tmp_path)}
    output = OutputFolder(tmp_path, overlay, rle=True, overwrite=True)
    refuse(rf"{name}: .* no run wrote", write, output, 3, num_frames=num_frames, soft=soft)
    assert (tmp_path / name).read_bytes() == b"by hand"
    if not name.startswith("soft"):  # found before anything is done
        assert {file: (tmp_path / file).read_bytes() for file in files(tmp_path)} == before


@pytest.mark.parametrize("folder", ["masks", "overlays"])
def test_results_do_not_leave_the_folder_through_a_link(tmp_path, folder):
    (tmp_path / "mine").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / folder).symlink_to(tmp_path / "mine")
    refuse(f"{folder}/.*: expected a path below", OutputFolder, tmp_path / "out", overwrite=True)
    (tmp_path / "link").symlink_to(tmp_path / "mine")  # the folder itself may be one
    write(OutputFolder(tmp_path / "link"), 1)
    assert files(tmp_path / "mine") == ["confidence.csv", "masks/00000.png"]


def test_two_runs_do_not_share_a_folder(tmp_path):
    first, second = (OutputFolder(tmp_path / "out") for _ in range(2))
    with first.writer(CLIP.frames, None) as add:
        add.frame("00000", CLIP.frame(0), CLIP.mask(0))
        refuse(r"out: .* found one at work; wait", write, second, 1)
    refuse(r"00000\.png: .* no run wrote", write, second, 1)  # it was to find an empty folder
    assert files(tmp_path) == ["out/masks/00000.png"]


@pytest.mark.parametrize("is_new", [True, False])
def test_a_run_without_results_leaves_no_folder_of_its_own(tmp_path, is_new):
    if not is_new:
        (tmp_path / "out").mkdir()
    write(OutputFolder(tmp_path / "out"), 0)
    assert (tmp_path / "out").exists() != is_new


@pytest.mark.parametrize("fixed", ["out", "out/masks", "out/overlays", "."])
def test_an_output_that_is_not_writable_is_refused(tmp_path, monkeypatch, fixed):
    place, make = tmp_path / fixed, tempfile.TemporaryDirectory
    place.mkdir(parents=True, exist_ok=True)

    def deny(prefix, dir):  # permissions do not hold for the user of many containers
        if Path(dir) == place:
            raise PermissionError(13, "Permission denied")
        return make(prefix=prefix, dir=dir)

    monkeypatch.setattr(tempfile, "TemporaryDirectory", deny)
    refuse(f"{place} takes no new files", OutputFolder, tmp_path / "out")


def test_inputs_are_neither_output_nor_replaced(tmp_path, monkeypatch):
    write_mask(tmp_path / "masks/00000.png", np.ones((32, 48), np.uint8))
    monkeypatch.chdir(tmp_path)
    words = r"\.: .* found the folder of frames"
    refuse(words, OutputFolder, Path(), overwrite=True, inputs=[tmp_path])
    own = "masks/00000.png masks overlays overlay.mp4 confidence.csv soft/1/a.png"
    for name in own.split():
        words = f"{name}: expected the input apart from results"
        refuse(words, OutputFolder, tmp_path, overwrite=True, inputs=[tmp_path / name])
    OutputFolder(tmp_path, overwrite=True, inputs=[tmp_path / "frames"])


def test_results_as_json_are_those_of_the_official_tool(goldens, tmp_path):
    golden = goldens("rle")
    masks = [tmp_path / f"{index}.png" for index in range(len(golden["ytvis_pred"]))]
    for path, ids in zip(masks, golden["ytvis_pred"], strict=True):
        write_mask(path, ids)
    other = tmp_path / "other.png"
    write_mask(other, np.full((2, 3), 9, np.uint8))
    path = tmp_path / "out" / "results.json"
    write_results_json(path, {"clip": masks, "other": [other]})
    first, *_, last = json.loads(path.read_text())
    expected = json.loads(str(golden["ytvis_results_json"]))
    assert first["segmentations"] == expected[0]["segmentations"]
    assert (first["video_id"], first["video"], first["object_id"]) == (1, "clip", 1)
    assert (last["video_id"], last["video"], last["object_id"]) == (2, "other", 9)
    assert last["segmentations"] == [{"size": [2, 3], "counts": "06"}]
    assert is_marked(path)
    path.write_text(path.read_text().replace('"score": 1.0', '"score": 0.5', 1))
    assert not is_marked(path)


def test_strings_are_those_of_the_official_tool(goldens):
    golden = goldens("rle")
    for name, counts in zip(golden["names"], golden["counts"], strict=True):
        assert encode_rle(golden[f"mask__{name}"] > 0) == str(counts), name
