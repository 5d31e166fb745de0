import dataclasses
import itertools
import json
import os
import weakref

import av
import numpy as np
import pytest
from copying import CHUNK, copy_masks
from PIL import Image
from video_files import set_matrix, write_quarters

from mavos_jax.config import Experiment
from mavos_jax.evaluation import one_video as module
from mavos_jax.evaluation.one_video import (
    VideoReport,
    in_percent,
    score_clip,
    score_demonstration,
    segment_to_folder,
)
from mavos_jax.evaluation.output import OutputFolder
from mavos_jax.evaluation.video_task import DEMONSTRATION, VideoTask
from mavos_jax.generated.video import SyntheticVideo
from mavos_jax.media.masks import read_mask, write_mask
from mavos_jax.media.overlay import write_picture
from mavos_jax.media.rle import decode_rle
from mavos_jax.models.mavos import build_model
from mavos_jax.scores.metrics import (
    ObjectScores,
    Statistics,
    mean_scores,
    score_frame,
    statistics,
)

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

    monkeypatch.setattr(module, "stream_masks", stream)
    # Threads of the fake devices are no part of these tests.
    monkeypatch.setattr(module, "peak_memory", lambda: ("peak resident memory", 1_900_000_000))
    return calls


def write_frames(folder, num_frames=CLIP.num_frames):
    for index in range(num_frames):
        write_picture(folder / f"{index:05d}.png", CLIP.frame(index))
    return folder


def segment(task, root, *options, **named):
    return segment_to_folder(MODEL, {}, task, OutputFolder(root, *options, **named))


def open_clip(tmp_path, *options):
    """Writes the clip's frames and first mask; the task of both."""
    frames = write_frames(tmp_path / "frames")
    write_mask(tmp_path / "first.png", CLIP.mask(0))
    return VideoTask.open(frames, tmp_path / "first.png", *options)


def names(folder):
    return sorted(file.name for file in folder.iterdir())


def test_masks_are_named_as_the_frames_and_keep_the_palette(tmp_path):
    frames = write_frames(tmp_path / "frames")
    palette = np.zeros((256, 3), np.uint8)
    palette[1:3] = [(1, 2, 3), (4, 5, 6)]
    write_mask(tmp_path / "first.png", CLIP.mask(0), palette)
    report = segment(VideoTask.open(frames, tmp_path / "first.png"), tmp_path / "out")
    assert names(tmp_path / "out") == ["masks"]
    assert names(tmp_path / "out" / "masks") == names(frames)
    for name in names(frames):
        ids, own = read_mask(tmp_path / "out" / "masks" / name, SIZE)
        np.testing.assert_array_equal(ids, CLIP.mask(0))
        np.testing.assert_array_equal(own, palette)
    assert (report.num_frames, report.num_objects) == (6, 2)


def test_the_report_names_its_numbers():
    report = VideoReport(16, 2, 16.0, 12.0, ("peak resident memory", 1_900_000_000))
    assert str(report) == (
        "16 frames, 2 objects, 1.00 FPS (4.00 without tracing and compilation), "
        "peak resident memory 1.90 GB"
    )
    one = dataclasses.replace(report, num_frames=1, num_objects=1)
    assert str(one).startswith("1 frame, 1 object, ")


@pytest.mark.parametrize("overlay", ["pictures", "video"])
def test_frames_masks_and_overlays_stay_in_step(tmp_path, overlay):
    task = VideoTask.demonstration()
    segment(task, tmp_path, overlay, frames=True)
    assert len(names(tmp_path / "masks")) == 24
    for index, frame in enumerate(task.frames):
        with Image.open(tmp_path / "frames" / f"{index:05d}.png") as image:
            np.testing.assert_array_equal(np.asarray(image), frame)
    if overlay == "pictures":
        assert len(names(tmp_path / "overlays")) == 24
    else:
        with av.open(str(tmp_path / "overlay.mp4")) as container:
            assert len(list(container.decode(video=0))) == 24


def test_results_as_json_hold_the_masks_and_are_replaced_as_they_are(tmp_path):
    task = VideoTask.demonstration()
    for _ in range(2):
        segment(task, tmp_path, rle=True, overwrite=True)
        for record in json.loads((tmp_path / "results.json").read_text()):
            for index, entry in enumerate(record["segmentations"]):
                ids, _ = read_mask(tmp_path / "masks" / f"{index:05d}.png", (192, 192))
                mask = decode_rle(entry["counts"], (192, 192))
                np.testing.assert_array_equal(mask, ids == record["object_id"])
    segment(task, tmp_path, overwrite=True)
    assert names(tmp_path) == ["masks"]
    (tmp_path / "results.json").write_text("[]")
    with pytest.raises(ValueError, match=r"results\.json: .* no run wrote"):
        segment(task, tmp_path, rle=True, overwrite=True)


def test_annotations_give_the_first_mask_and_the_late_objects(tmp_path, network):
    write_frames(tmp_path / "JPEGImages" / "clip")
    annotations = tmp_path / "Annotations" / "clip"
    write_mask(annotations / "00001.png", np.where(CLIP.mask(1) == 1, 1, 0).astype(np.uint8))
    write_mask(annotations / "00003.png", CLIP.mask(3))
    task = VideoTask.open(tmp_path, None)
    assert (task.num_skipped, task.num_given) == (1, 2)
    segment(task, tmp_path / "out")
    assert names(tmp_path / "out" / "masks") == [f"{i:05d}.png" for i in range(1, 6)]
    (call,) = network
    assert list(call["labels"]) == [2]
    np.testing.assert_array_equal(call["labels"][2], CLIP.mask(3))
    assert "masks: 2 used (1 at the start, 1 with new objects, 1 correcting" in task.notes[0]


def test_annotations_of_every_frame_give_new_objects_unless_told_to_correct(tmp_path):
    write_frames(tmp_path / "JPEGImages" / "clip")
    for index in range(6):
        shown = np.where(CLIP.mask(index) == 2, 2 if index > 2 else 0, CLIP.mask(index))
        write_mask(
            tmp_path / "Annotations" / "clip" / f"{index:05d}.png",
            (shown if index else 0 * shown).astype(np.uint8),
        )
    task = VideoTask.open(tmp_path, None)
    assert (task.num_skipped, task.num_given) == (1, 2)
    assert list(task.labels) == [2]
    np.testing.assert_array_equal(task.labels[2], np.where(CLIP.mask(3) == 2, 2, 0))
    start, masks = task.notes
    assert "00000.png shows no object" in start
    assert "3 without new objects ignored (every frame has one" in masks
    assert "--annotations all" in masks
    task = VideoTask.open(tmp_path, None, annotations="all")
    assert list(task.labels) == [1, 2, 3, 4]
    (tmp_path / "Annotations" / "clip" / "00004.png").unlink()
    assert list(VideoTask.open(tmp_path, None).labels) == [1, 2, 4]
    assert list(VideoTask.open(tmp_path, None, annotations="new").labels) == [2]


def test_a_start_names_the_results_by_their_frames(tmp_path):
    video = write_quarters(tmp_path / "clip.mp4", num_frames=5)
    mask = np.zeros((48, 64), np.uint8)
    mask[:24, :32] = 1
    write_mask(tmp_path / "mine.png", mask)
    task = VideoTask.open(video, tmp_path / "mine.png", start="3")
    assert str(task) == "frames: 2 from 00003 on, 3 skipped; objects: 1"
    segment(task, tmp_path / "out")
    assert names(tmp_path / "out" / "masks") == ["00003.png", "00004.png"]


def test_a_mask_of_the_stored_picture_of_a_turned_video_is_told_so(tmp_path):
    video = set_matrix(write_quarters(tmp_path / "clip.mp4"), (0, 1, -1, 0))
    write_mask(tmp_path / "mine.png", np.ones((48, 64), np.uint8))
    with pytest.raises(ValueError, match=r"mine\.png: .* swapped; .*turned by 90 degrees") as error:
        VideoTask.open(video, tmp_path / "mine.png")
    assert "resize" not in str(error.value)
    write_mask(tmp_path / "mine.png", np.ones((64, 48), np.uint8))
    task = VideoTask.open(video, tmp_path / "mine.png")
    segment(task, tmp_path / "out", "pictures")
    with Image.open(tmp_path / "out" / "overlays" / "00000.jpg") as overlay:
        assert overlay.size == (48, 64)


def test_a_given_mask_starts_a_video_that_is_annotated_later(tmp_path, network):
    frames = write_frames(tmp_path / "JPEGImages" / "clip")
    late = tmp_path / "Annotations" / "clip" / "00003.png"
    write_mask(tmp_path / "mine.png", np.where(CLIP.mask(0) == 1, 1, 0).astype(np.uint8))
    write_mask(late, CLIP.mask(3))
    task = VideoTask.open(frames, tmp_path / "mine.png")
    assert str(task) == "frames: 6; objects: 2 (1 at 00000, 1 later)"
    assert segment(task, tmp_path / "out").num_frames == 6
    assert list(network[0]["labels"]) == [3]
    task = VideoTask.open(frames, late)
    assert str(task) == "frames: 3 from 00003 on, 3 skipped; objects: 2"
    np.testing.assert_array_equal(task.mask, CLIP.mask(3))


def test_a_given_mask_overrides_the_first_annotation(tmp_path):
    write_frames(tmp_path / "JPEGImages" / "clip")
    write_mask(tmp_path / "Annotations" / "clip" / "00000.png", CLIP.mask(0))
    write_mask(tmp_path / "mine.png", 7 * CLIP.mask(0))
    task = VideoTask.open(tmp_path / "JPEGImages" / "clip", tmp_path / "mine.png")
    np.testing.assert_array_equal(task.mask, 7 * CLIP.mask(0))


def test_a_number_of_objects_is_passed_on_and_checked(tmp_path, network):
    task = open_clip(tmp_path, 4)
    assert segment(task, tmp_path / "out").num_objects == 4
    assert network[0]["num_objects"] == 4
    for number, message in {1: r"first\.png: .* up to 1 as --num_objects", 255: "1 to 254"}.items():
        with pytest.raises(ValueError, match=message):
            open_clip(tmp_path, number)


def test_a_frame_that_cannot_be_decoded_leaves_whole_masks_before_it(tmp_path):
    task = open_clip(tmp_path)
    os.truncate(tmp_path / "frames" / "00005.png", 900)
    with pytest.raises(ValueError, match=r"00005\.png: .*; finished in .*out: 5 frames"):
        segment(task, tmp_path / "out", "video")
    assert names(tmp_path / "out") == ["masks"]  # and no overlay.mp4
    assert names(tmp_path / "out" / "masks") == [f"{i:05d}.png" for i in range(5)]
    for name in names(tmp_path / "out" / "masks"):
        read_mask(tmp_path / "out" / "masks" / name, SIZE)


def test_an_interruption_says_what_is_finished(tmp_path, capsys, monkeypatch):
    def stream(model, variables, frames, mask, **options):
        for index, _ in enumerate(frames):
            if index == 3:
                raise KeyboardInterrupt
            yield mask

    monkeypatch.setattr(module, "stream_masks", stream)
    with pytest.raises(KeyboardInterrupt):
        segment(VideoTask.demonstration(), tmp_path, "video")
    assert capsys.readouterr().err == f"finished in {tmp_path}: 3 frames\n"
    assert names(tmp_path) == ["masks"]
    for index in range(3):
        ids, _ = read_mask(tmp_path / "masks" / f"{index:05d}.png", (192, 192))
        assert ids.any()


def test_an_unreadable_first_frame_leaves_nothing(tmp_path):
    task = open_clip(tmp_path)
    os.truncate(tmp_path / "frames" / "00000.png", 900)
    with pytest.raises(ValueError, match=r"00000\.png: expected an image"):
        segment(task, tmp_path / "out", "video")
    assert not any((tmp_path / "out").glob("**/*.*"))


def test_results_are_replaced_only_when_that_is_asked_for(tmp_path):
    task = VideoTask.demonstration()
    segment(task, tmp_path)
    before = (tmp_path / "masks" / "00000.png").stat().st_mtime_ns
    with pytest.raises(ValueError, match=r"found .*00000\.png; .*--overwrite"):
        OutputFolder(tmp_path)
    assert (tmp_path / "masks" / "00000.png").stat().st_mtime_ns == before
    segment(task, tmp_path, overwrite=True)
    assert (tmp_path / "masks" / "00000.png").stat().st_mtime_ns > before


def test_no_mask_or_one_among_the_frames_is_refused(tmp_path):
    frames = write_frames(tmp_path / "frames")
    write_mask(frames / "first.png", CLIP.mask(0))
    with pytest.raises(ValueError, match=r"first\.png: expected the mask outside the folder"):
        VideoTask.open(frames, frames / "first.png")
    with pytest.raises(ValueError, match=r"frames: expected --mask FILE"):
        VideoTask.open(frames, None)


def test_a_clip_is_scored_by_the_rules_of_davis():
    truth = np.stack([CLIP.mask(index) for index in range(6)])
    assert score_clip(CLIP.mask, [*truth]).mean == 1
    shifted = np.roll(truth, 2, axis=2)
    pairs = [score_frame(truth[t], shifted[t], (1, 2)) for t in range(1, 5)]
    values = np.array(pairs).transpose(2, 1, 0)  # [objects, (J, F), T]
    by_object = [ObjectScores(*map(statistics, of_object)) for of_object in values]
    assert score_clip(CLIP.mask, [*shifted]) == mean_scores(by_object)
    shifted[:, :8], beyond = 0, shifted.copy()
    beyond[:, :8] = 7  # an id of no object
    assert score_clip(CLIP.mask, [*beyond]) == score_clip(CLIP.mask, [*shifted])


def test_percentages_have_one_decimal():
    scores = ObjectScores(Statistics(0.80149, 1, 0), Statistics(0.9, 1, 0))
    assert in_percent(scores) == {"J": 80.1, "F": 90.0, "J&F": 85.1}


def test_scores_are_reported_only_where_the_truth_is_known(tmp_path):
    report = segment(VideoTask.demonstration(5), tmp_path / "known")
    assert report.num_frames == len(DEMONSTRATION)
    assert report.scores == score_demonstration(MODEL, {})
    assert report.scores is not None
    assert 0.05 < report.scores.mean < 0.4  # the clip is none on which copying does well
    assert segment(open_clip(tmp_path), tmp_path / "out").scores is None


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
