import dataclasses
import os
import signal
import weakref

import jax
import numpy as np
import pytest
from refusals import refuse
from video_files import SIZE, write_video

from mavos_jax.config import Experiment
from mavos_jax.evaluation import one_video
from mavos_jax.evaluation.both_ways import turned_round
from mavos_jax.evaluation.one_video import VideoTask
from mavos_jax.evaluation.output import OutputFolder
from mavos_jax.media.confidence import read_confidence
from mavos_jax.media.frames import open_frames
from mavos_jax.media.masks import read_mask, write_mask
from mavos_jax.media.results import write_picture
from mavos_jax.media.video_file import VideoFile
from mavos_jax.models.mavos import build_model

MODEL = build_model(Experiment(name="untouched"))
MASK = np.zeros(SIZE, np.uint8)
MASK[10:20, 20:30] = 1
MASK[30:40, 40:50] = 2
LAST, MIDDLE = 6, 4


@pytest.fixture(autouse=True)
def passes(monkeypatch):
    """Puts in a network under which all moves by a column a frame; the frames that it was fed."""
    passes = []

    def stream(model, variables, frames, mask, *, labels, on_judged, **options):
        passes.append(seen := [])
        for index, frame in enumerate(frames):
            mask = labels[index] if index in labels else np.roll(mask, index > 0, axis=1)
            seen.append(float(frame.mean()))
            on_judged(index, {1: (0.5, 0.25, True)}, {})
            yield mask

    monkeypatch.setattr(one_video, "stream_masks", stream)
    return passes


def write_clip(folder, kind):
    """Writes a video whose frames get brighter, a file or pictures, and the mask of its middle."""
    file = write_video(folder / "clip.mp4", LAST + 1)
    write_mask(folder / "middle.png", MASK)
    if kind == "file":
        return file
    pictures = folder / "JPEGImages" / "clip"
    for index, frame in enumerate(open_frames(file)):
        write_picture(pictures / f"{index:05d}.png", frame)
    return pictures


def open_task(tmp_path, kind="pictures", start=str(MIDDLE)):
    mask = tmp_path / "middle.png"
    return VideoTask.open(write_clip(tmp_path, kind), mask, start=start, both_ways=True)


def segment(task, root, *options):
    return one_video.segment_to_folder(MODEL, {}, task, OutputFolder(root, *options))


def read_masks(root):
    files = sorted((root / "masks").iterdir())
    return {int(file.stem): read_mask(file, SIZE)[0] for file in files}


@pytest.mark.parametrize("kind", ["file", "pictures"])
def test_masks_before_and_after_the_middle_are_named_as_the_frames(
    tmp_path, monkeypatch, passes, kind
):
    task, out, decoded = open_task(tmp_path, kind), tmp_path / "out", []
    read = VideoFile.__iter__
    monkeypatch.setattr(VideoFile, "__iter__", lambda file: decoded.append(file) or read(file))
    assert str(task) == "frames: 7, both ways from 00004; objects: 2"
    assert segment(task, out, "video").num_frames == LAST + 1
    assert len(decoded) == (kind == "file")
    backwards, forwards = passes
    assert (len(backwards), len(forwards)) == (MIDDLE + 1, LAST - MIDDLE + 1)
    assert backwards == sorted(backwards, reverse=True)
    assert forwards == sorted(forwards)
    assert backwards[0] == forwards[0]
    masks = read_masks(out)
    assert [*masks] == [*range(LAST + 1)]
    for index, ids in masks.items():
        np.testing.assert_array_equal(ids, np.roll(MASK, abs(index - MIDDLE), axis=1))
    shown = [frame.mean() for frame in open_frames(out / "overlay.mp4")]
    assert shown == sorted(shown)
    assert sorted(path.name for path in out.iterdir()) == [
        *("confidence.csv", "masks", "overlay.mp4")
    ]
    frames = [int(frame) for frame, *_ in read_confidence(out / "confidence.csv")]
    assert frames == [3, 2, 1, 0, 4, 5, 6]


@pytest.mark.parametrize("start", [0, LAST])
def test_a_mask_at_an_end_is_followed_one_way(tmp_path, passes, start):
    segment(open_task(tmp_path, "file", str(start)), tmp_path / "out")
    assert [len(seen) for seen in passes] == ([LAST + 1] if start == 0 else [LAST + 1, 1])
    assert len(read_masks(tmp_path / "out")) == LAST + 1


def test_masks_of_other_frames_count_on_their_side(tmp_path):
    for index, number in ((1, 3), (2, 1), (5, 7)):
        ids = np.where(MASK == 1, number, 0).astype(np.uint8)
        write_mask(tmp_path / f"Annotations/clip/{index:05d}.png", ids)
    task = open_task(tmp_path)
    assert "objects: 4 (2 at 00004, 2 elsewhere)" in str(task)
    assert [list(labels) for labels in (task.labels, task.earlier)] == [[1], [2, 3]]
    assert "backwards: masks: 3 used" in task.notes[-2]
    assert "from 00001 down to the first: 3" in task.notes[-1]
    segment(task, tmp_path / "out")
    found = {index: set(np.unique(ids)) for index, ids in read_masks(tmp_path / "out").items()}
    assert [*found.values()] == [{0, 3}, {0, 3}, {0, 1}, {0, 1, 2}, {0, 1, 2}, {0, 7}, {0, 7}]


def test_a_start_beyond_the_end_is_refused(tmp_path):
    refuse("up to 6, found '7'.* --from_frame", open_task, tmp_path, start="7")
    task = dataclasses.replace(open_task(tmp_path, "file"), position=LAST + 2)
    refuse(r"clip\.mp4: .* frame 8 .* found 7 frames", segment, task, tmp_path / "out")


@pytest.mark.parametrize(("damaged", "finished"), [(5, 5), (2, 1)])
def test_a_damaged_frame_leaves_the_masks_that_are_finished(tmp_path, damaged, finished):
    task = open_task(tmp_path)
    os.truncate(tmp_path / f"JPEGImages/clip/{damaged:05d}.png", 900)
    words = rf".*; finished in .*out: {finished} frame"
    refuse(rf"{damaged:05d}\.png: expected {words}", segment, task, tmp_path / "out")
    assert [*read_masks(tmp_path / "out")] == [*range(finished)] if damaged == 5 else [3]


@pytest.mark.parametrize("number_left", [0, 2])
def test_finished_masks_are_turned_round_before_what_ends_the_work(tmp_path, number_left):
    found, masks = [], [MASK] * (4 - number_left)

    def made():
        yield from masks
        if number_left:
            raise jax.errors.JaxRuntimeError("out of memory")

    def turn():
        for index, *_ in turned_round(made(), 3, lambda _: MASK, SIZE, tmp_path, int):
            found.append(index)
            if not number_left and len(found) == 1:
                os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(jax.errors.JaxRuntimeError if number_left else KeyboardInterrupt):
            turn()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert found == [0, 1, 2][number_left:]


def test_memory_does_not_grow_with_the_video(tmp_path, monkeypatch):
    arrays, most = [], 0

    def counted(array):
        nonlocal most
        arrays.append(weakref.ref(array))
        most = max(most, sum(other() is not None for other in arrays))
        return array

    class Frames:
        origin, size, frame_rate, num_frames = "a long video", SIZE, None, 200

        def name(self, index):
            return f"{index:05d}"

        def __iter__(self):
            for _ in range(self.num_frames):
                yield counted(np.zeros((*SIZE, 3), np.uint8))

    def stream(*arguments, stream=one_video.stream_masks, **options):
        model, variables, frames, mask = arguments
        masks = stream(model, variables, map(counted, frames), mask, **options)
        yield from map(counted, masks)

    monkeypatch.setattr(one_video, "stream_masks", stream)
    task = VideoTask(Frames(), MASK, {}, None, None, 2, position=130)
    segment(task, tmp_path / "out", "pictures")
    assert len(read_masks(tmp_path / "out")) == 200
    assert len(arrays) > 600
    assert most < 40  # eight frames and their masks wait for the disk
