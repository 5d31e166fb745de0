import itertools
import os
import weakref

import av
import jax
import numpy as np
import pytest
from copying import CHUNK, copy_masks
from evaluation.scored_trees import score_arrays
from PIL import Image
from refusals import refuse

from mavos_jax.config import Experiment
from mavos_jax.datasets.davis import score_davis2017
from mavos_jax.evaluation import one_video
from mavos_jax.evaluation.one_video import VideoTask
from mavos_jax.evaluation.output import OutputFolder
from mavos_jax.generated.video import SyntheticVideo
from mavos_jax.media.masks import read_mask, write_mask
from mavos_jax.media.results import write_picture
from mavos_jax.models.mavos import build_model
from mavos_jax.scores.metrics import ObjectScores, Statistics, mean_scores

CLIP = SyntheticVideo(seed=1, num_frames=6, height=32, width=48, num_objects=2)
SIZE = (32, 48)
MODEL = build_model(Experiment(name="untouched"))


@pytest.fixture(autouse=True)
def network(monkeypatch):
    """Puts a stand-in in the network's place; the calls of it."""
    calls = []

    def stream(model, variables, frames, mask, *, labels=(), num_objects=None, **options):
        calls.append({"labels": dict(labels), "num_objects": num_objects})
        yield from copy_masks(model, variables, frames, mask, labels=labels)

    monkeypatch.setattr(one_video, "stream_masks", stream)
    # Threads of the fake devices are no part of these tests.
    monkeypatch.setattr(one_video, "peak_memory", lambda: ("peak resident memory", 1_900_000_000))
    return calls


def write_frames(folder):
    for index in range(len(CLIP)):
        write_picture(folder / f"{index:05d}.png", CLIP.frame(index))
    return folder


def segment(task, root, *options, **named):
    return one_video.segment_to_folder(MODEL, {}, task, OutputFolder(root, *options, **named))


def only(mask, number):
    return np.where(mask == number, mask, 0).astype(np.uint8)


def open_clip(tmp_path, *options, palette=None):
    """Writes the clip's frames and first mask; the task of both."""
    frames = write_frames(tmp_path / "frames")
    write_mask(tmp_path / "first.png", CLIP.mask(0), palette)
    return VideoTask.open(frames, tmp_path / "first.png", *options)


def names(folder):
    return sorted(file.name for file in folder.iterdir())


def test_masks_are_named_as_the_frames_and_keep_the_palette(tmp_path, network):
    palette = np.zeros((256, 3), np.uint8)
    palette[1:3] = [(1, 2, 3), (4, 5, 6)]
    report = segment(open_clip(tmp_path, 4, palette=palette), tmp_path / "out")
    assert names(tmp_path / "out") == ["masks"]
    assert names(tmp_path / "out/masks") == names(tmp_path / "frames")
    for path in (tmp_path / "out/masks").iterdir():
        ids, own = read_mask(path, SIZE)
        np.testing.assert_array_equal(ids, CLIP.mask(0))
        np.testing.assert_array_equal(own, palette)
    assert (report.num_frames, report.num_objects, report.scores) == (6, 4, None)
    assert network[0]["num_objects"] == 4


@pytest.mark.parametrize(("number", "words"), [(1, r"first\.png: .* up to 1"), (255, "1 to 254")])
def test_a_number_of_objects_is_checked(tmp_path, number, words):
    refuse(words, open_clip, tmp_path, number)


def test_the_report_names_its_numbers():
    report = one_video.VideoReport(16, 1, 16.0, 12.0, ("peak resident memory", 1_900_000_000))
    for words in ("16 frames, 1 object,", "1.00 FPS", "4.00", "peak resident memory 1.90 GB"):
        assert words in str(report)
    scores = ObjectScores(Statistics(0.80149, 1, 0), Statistics(0.9, 1, 0))
    assert one_video.in_percent(scores) == {"J": 80.1, "F": 90.0, "J&F": 85.1}


def test_frames_masks_and_overlays_stay_in_step(tmp_path):
    task = VideoTask.demonstration()
    segment(task, tmp_path, "video", frames=True)
    assert len(names(tmp_path / "masks")) == 24
    for index, frame in enumerate(task.frames):
        with Image.open(tmp_path / "frames" / f"{index:05d}.png") as image:
            np.testing.assert_array_equal(np.asarray(image), frame)
    with av.open(str(tmp_path / "overlay.mp4")) as container:
        assert len(list(container.decode(video=0))) == 24


@pytest.mark.parametrize("given", [None, 0, 1])
def test_annotations_give_late_objects_and_without_another_mask_the_first(tmp_path, network, given):
    write_frames(tmp_path / "JPEGImages/clip")
    first, late = (tmp_path / f"Annotations/clip/0000{t}.png" for t in (1, 3))
    write_mask(late, CLIP.mask(3))
    mask = first if given is None else tmp_path / f"0000{given}.png"
    write_mask(mask, only(CLIP.mask(1), 1))
    start = 1 if given is None else given
    task = VideoTask.open(tmp_path, None if given is None else mask)
    assert (task.num_skipped, task.num_given) == (start, 2)
    segment(task, tmp_path / "out")
    assert names(tmp_path / "out/masks") == [f"{i:05d}.png" for i in range(start, 6)]
    assert list(network[0]["labels"]) == [3 - start]
    np.testing.assert_array_equal(network[0]["labels"][3 - start], CLIP.mask(3))
    assert "2 used" in task.notes[-1]


def test_a_mask_without_background_is_told(tmp_path):
    write_mask(tmp_path / "first.png", np.ones(SIZE, np.uint8))
    (note,) = VideoTask.open(write_frames(tmp_path / "frames"), tmp_path / "first.png").notes
    assert note.startswith(f"{tmp_path / 'first.png'}: expected background")


def test_annotations_of_every_frame_give_new_objects_unless_told_to_correct(tmp_path):
    write_frames(tmp_path / "JPEGImages/clip")
    masks = [0 * CLIP.mask(0), *(only(CLIP.mask(t), 1) for t in (1, 2)), *map(CLIP.mask, (3, 4, 5))]
    for index, mask in enumerate(masks):
        write_mask(tmp_path / f"Annotations/clip/{index:05d}.png", mask)
    task = VideoTask.open(tmp_path, None)
    assert (task.num_skipped, task.num_given) == (1, 2)
    assert list(task.labels) == [2]
    np.testing.assert_array_equal(task.labels[2], only(CLIP.mask(3), 2))
    with pytest.raises(KeyError):
        task.labels[3]
    start, used = task.notes
    assert "00000.png shows no object" in start
    for words in ("2 used", "1 at the start", "1 with new objects", "3 without new objects"):
        assert words in used
    assert "--annotations all" in used
    task = VideoTask.open(tmp_path, None, annotations="all")
    assert list(task.labels) == [1, 2, 3, 4]
    np.testing.assert_array_equal(task.labels[3], CLIP.mask(4))
    assert "4 correcting known ones" in task.notes[1]
    last = tmp_path / "Annotations/clip/00004.png"
    write_mask(last, CLIP.mask(4)[1:].copy())
    with pytest.raises(ValueError, match=r"00004\.png: expected a mask of 32 x 48"):
        VideoTask.open(tmp_path, None, annotations="all")
    last.unlink()
    assert list(VideoTask.open(tmp_path, None).labels) == [1, 2, 4]
    assert list(VideoTask.open(tmp_path, None, annotations="new").labels) == [2]


def test_corrections_with_other_numbers_or_in_white_are_refused(tmp_path):
    write_frames(tmp_path / "JPEGImages/clip")
    colours = np.zeros((256, 3), np.uint8)
    colours[1:3] = (0, 200, 0), (200, 0, 0)
    first, later = (tmp_path / f"Annotations/clip/0000{t}.png" for t in (0, 2))
    write_mask(first, CLIP.mask(3), colours)
    write_mask(later, only(CLIP.mask(4), 1), colours[[0, 2, 1]])  # an editor's own numbers
    refuse("00002.* found 1 in the colour of object 2", VideoTask.open, tmp_path, None)
    write_mask(later, 3 * only(CLIP.mask(4), 1), colours[[0, 2, 0, 1]])
    refuse("00002.* found 3 in the colour of object 1", VideoTask.open, tmp_path, None)
    write_mask(later, only(CLIP.mask(4), 1))  # other colours for the same numbers
    assert list(VideoTask.open(tmp_path, None).labels) == [2]
    write_mask(later, np.where(CLIP.mask(4) == 1, 255, 0).astype(np.uint8))
    refuse("00002.* only 0 and 255", VideoTask.open, tmp_path, None)


@pytest.mark.parametrize("index", [5, 0])
def test_a_frame_that_cannot_be_decoded_leaves_whole_masks_before_it(tmp_path, index):
    task = open_clip(tmp_path)
    os.truncate(tmp_path / f"frames/{index:05d}.png", 900)
    finished = rf".*; finished in .*out: {index} frames" if index else ""
    refuse(rf"{index:05d}\.png: expected {finished}", segment, task, tmp_path / "out", "video")
    results = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    expected = [*(f"{i:05d}.png" for i in range(index)), *["overlay.mp4"] * (index > 0)]
    assert sorted(path.name for path in results) == expected
    for path in tmp_path.glob("out/masks/*"):
        read_mask(path, SIZE)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, jax.errors.JaxRuntimeError])
def test_an_interruption_says_what_is_finished(tmp_path, capsys, monkeypatch, kind):
    def stream(model, variables, frames, mask, **options):
        for index, _ in enumerate(frames):
            if index == 3:
                raise kind("out of memory")
            yield mask

    monkeypatch.setattr(one_video, "stream_masks", stream)
    with pytest.raises(kind):
        segment(open_clip(tmp_path), tmp_path / "out", "video")
    assert capsys.readouterr().err == f"finished in {tmp_path / 'out'}: 3 frames\n"
    assert names(tmp_path / "out") == ["masks", "overlay.mp4"]
    for index in range(3):
        assert read_mask(tmp_path / f"out/masks/{index:05d}.png", SIZE)[0].any()


def test_a_clip_is_scored_by_the_rules_of_davis():
    truth = np.stack([CLIP.mask(index) for index in range(6)])
    assert one_video.score_clip(CLIP.mask, [*truth]).mean == 1
    shifted = np.roll(truth, 2, axis=2)
    rows = score_arrays(score_davis2017, truth, shifted)
    assert one_video.score_clip(CLIP.mask, [*shifted]) == mean_scores(row.scores for row in rows)
    shifted[:, :8], beyond = 0, shifted.copy()
    beyond[:, :8] = 7  # an id of no object
    assert one_video.score_clip(CLIP.mask, [*beyond]) == one_video.score_clip(CLIP.mask, [*shifted])


def test_memory_does_not_grow_with_the_video(tmp_path):
    peak, made, freed = 0, itertools.count(1), []

    class Frames:
        origin, size, num_frames, frame_rate = "a long video", SIZE, 300, None

        def name(self, index):
            return f"{index:05d}"

        def __iter__(self):
            nonlocal peak
            for _ in range(self.num_frames):
                frame = np.zeros((*SIZE, 3), np.uint8)
                weakref.finalize(frame, freed.append, None)
                peak = max(peak, next(made) - len(freed))
                yield frame
                del frame

    task = VideoTask(Frames(), CLIP.mask(0), {}, None, None, 2)
    segment(task, tmp_path, "pictures")
    assert len(names(tmp_path / "masks")) == 300
    assert peak <= 2 * CHUNK + 12  # chunks on their way, and pictures waiting to be written
