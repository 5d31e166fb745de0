import gzip
import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image
from programs import ROOT, Program, run_python
from video_files import set_matrix

import evaluate
from mavos_jax.checkpoints import weights as default_weights
from mavos_jax.checkpoints.weights import save
from mavos_jax.commands.parser import load_config
from mavos_jax.generated.video import SyntheticVideo
from mavos_jax.media.masks import read_mask, write_mask
from mavos_jax.media.results import video_writer, write_picture
from mavos_jax.models.mavos import build_model, init_variables

TINY = ROOT / "configs" / "tiny.py"
CLIP = SyntheticVideo(seed=1, num_frames=5, height=48, width=64, num_objects=2)
SMALL = ("--elstt.num_blocks", "1", "--inference.chunk_frames", "2")
UNTRAINED = ("--config", str(TINY), "--untrained", *SMALL)
run = Program(evaluate.main)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A folder with ``frames``, ``clip.mp4`` and ``first.png``; must not be changed."""
    folder = tmp_path_factory.mktemp("clip")
    write_mask(folder / "first.png", CLIP.mask(0))
    frames = CLIP.frames
    with video_writer(folder / "clip.mp4", frames.size, frames.frame_rate) as add:
        for index, frame in enumerate(frames):
            write_picture(folder / "frames" / f"{frames.name(index)}.png", frame)
            add(frame)
    return folder


@pytest.fixture(scope="module")
def variables():
    return init_variables(build_model(load_config(TINY, SMALL)), 0)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory, variables):
    path = tmp_path_factory.mktemp("weights") / "tiny"
    save(path, load_config(TINY, SMALL), variables)
    return path


@pytest.fixture
def packaged(tmp_path, monkeypatch, variables):
    """Fresh weights in the place of those that come with the package; returns their folder."""
    folder = tmp_path / "packaged"
    words = *SMALL, "--inference.max_long_edge", "64", "--name", "small"
    save(folder / "small.safetensors", load_config(TINY, words), variables)
    monkeypatch.setattr(default_weights, "FOLDER", folder)
    return folder


@pytest.fixture
def video(clip):
    return ("--video", clip / "frames", "--mask", clip / "first.png")


def names(folder):
    return sorted(file.name for file in folder.iterdir())


def test_help_is_short_and_begins_with_what_a_newcomer_needs(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit, match="0"):
        run("--help")
    output = capsys.readouterr()
    assert output.err == ""
    lines = output.out.splitlines()
    assert len(lines) < 100
    assert max(map(len, lines)) <= 100
    options = re.findall(r"^  --([\w.]+)", output.out, re.M)
    assert options[:5] == ["video", "mask", "output", "checkpoint", "config"]
    assert {"dataset", "lvos_rule", "memory.gap", "inference.precision"} < set(options)
    assert not [name for name in options if name.startswith(("data.", "training."))]


def test_overrides_keep_the_shapes_of_the_packaged_weights(packaged, capsys):
    line = run.fail(capsys, "--memory.gap", 5, "--elstt.num_blocks", 2)
    assert "packaged network" in line
    assert "drop --elstt.num_blocks" in line


@pytest.mark.parametrize("source", ["frames", "clip.mp4"])
def test_a_checkpoint_segments_a_video(tmp_path, capsys, clip, checkpoint, source):
    output = tmp_path / "out"
    run(
        *("--checkpoint", checkpoint, "--video", clip / source, "--mask", clip / "first.png"),
        *("--output", output, "--overlay", "pictures", "--memory.gap", 2),
    )
    weights, first, *_, last = capsys.readouterr().out.splitlines()
    assert weights == f"weights: {checkpoint} (tiny)"
    assert first == "frames: 5; objects: 2"
    assert re.match(r"5 frames, 2 objects, \d+\.\d\d FPS .* memory \d+\.\d\d GB", last)
    assert names(output / "masks") == [f"{i:05d}.png" for i in range(5)]
    assert names(output / "overlays") == [f"{i:05d}.jpg" for i in range(5)]
    masks = [
        read_mask(output / "masks" / name, (48, 64), allow_empty=True)[0]
        for name in names(output / "masks")
    ]
    np.testing.assert_array_equal(masks[0], CLIP.mask(0))
    assert set(np.unique(masks)) <= {0, 1, 2}


def test_the_first_lines_say_what_was_chosen(tmp_path, capsys, clip, checkpoint):
    video = tmp_path / "12:30:05.mp4"
    shutil.copy(clip / "clip.mp4", video)
    set_matrix(video, (-1, 0, 0, -1))
    words = ("--checkpoint", checkpoint, "--video", video, "--mask", clip / "first.png")
    run(*words, "--start", 2, "--memory.gap", 2, "--output", tmp_path / "run:1")
    assert capsys.readouterr().out.splitlines()[1:3] == [
        "frames: 3 from 00002 on, 2 skipped; objects: 2",
        "video: 5 frames of stream 0 (64x48, turned by 180 degrees)",
    ]
    assert names(tmp_path / "run:1" / "masks") == [f"{i:05d}.png" for i in (2, 3, 4)]
    run(*words, "--from-frame", 2, "--memory.gap", 2, "--output", tmp_path / "both")
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "frames: 5, both ways from 00002; objects: 2"
    assert names(tmp_path / "both" / "masks") == [f"{i:05d}.png" for i in range(5)]
    for option in ("--start", "--from_frame"):
        error = run.fail(capsys, *words, option, 5, "--output", tmp_path / "none")
        assert option in error
        assert "'5'" in error
    both = ("--start", 2, "--from_frame", 2, "--output", tmp_path / "none")
    assert "found both" in run.fail(capsys, *words, *both)


def test_without_options_the_packaged_weights_segment_a_generated_clip(
    tmp_path, capsys, monkeypatch, packaged
):
    monkeypatch.chdir(tmp_path)
    run()
    weights, task, *places, scores, report = capsys.readouterr().out.splitlines()
    assert weights.startswith("weights: small")
    assert task == "frames: 24; objects: 3"
    assert [place.split()[-1] for place in places] == ["demo/masks", "demo/overlays"]
    assert re.fullmatch(r"J \d+\.\d, F \d+\.\d, J&F \d+\.\d \(means over objects, .*\)", scores)
    assert report.startswith("24 frames, 3 objects, ")
    folders = ["frames", "masks", "overlays"]
    assert names(tmp_path / "demo") == ["confidence.csv", *folders]
    assert all(len(names(tmp_path / "demo" / folder)) == 24 for folder in folders)

    assert "found demo/confidence.csv" in run.fail(capsys)
    run("--overwrite", "--overlay", "none", "--num-objects", "5")
    assert names(tmp_path / "demo" / "overlays") == []


def test_without_a_checkpoint_the_packaged_weights_segment_a_video(
    tmp_path, capsys, monkeypatch, packaged, video
):
    monkeypatch.chdir(tmp_path)
    run(*video, "--soft_masks", "--profile", tmp_path / "trace")
    weights, *_, report, _ = capsys.readouterr().out.splitlines()
    assert weights.startswith("weights: small")
    assert report.startswith("5 frames, 2 objects, ")
    assert names(tmp_path / "output") == ["confidence.csv", "masks", "soft"]
    assert names(tmp_path / "output/soft") == ["1", "2"]
    assert names(tmp_path / "output/soft/2") == [f"{i:05d}.png" for i in range(5)]
    with Image.open(tmp_path / "output/soft/2/00000.png") as image:
        assert image.mode == "L"
        np.testing.assert_array_equal(image, 255 * (CLIP.mask(0) == 2))
    (trace,) = (tmp_path / "trace").rglob("perfetto_trace.json.gz")
    with gzip.open(trace, "rt") as file:
        events = {event.get("name", "") for event in json.load(file)["traceEvents"]}
    assert any("segment_chunk" in name for name in events)


def test_wrong_input_is_refused_before_anything_is_written(tmp_path, capsys, clip):
    write_mask(tmp_path / "narrow.png", CLIP.mask(0)[:, 1:].copy())
    for mask, words in (
        (tmp_path / "narrow.png", r"narrow\.png: .* 48 x 64 .* found 48 x 63"),
        (clip / "frames" / "00000.png", r"00000\.png: expected the mask outside the folder"),
        (clip / "clip.mp4", r"clip\.mp4: expected a mask that can be decoded"),
    ):
        words_given = ("--video", clip / "frames", "--mask", mask, "--output", tmp_path / "out")
        assert re.search(words, run.fail(capsys, *UNTRAINED, *words_given))
    assert not (tmp_path / "out").exists()


def test_wrong_combinations_are_refused(tmp_path, capsys, clip, checkpoint):
    weights, mask = ("--checkpoint", checkpoint), ("--mask", clip / "first.png")
    frames, folder = ("--video", clip / "frames"), ("--root", clip)
    for words, message in (
        ((*weights, "--untrained"), "--checkpoint or --untrained, found both"),
        (weights, "--video PATH or --dataset NAME, found neither"),
        (("--untrained",), "expected --config FILE for --untrained"),
        (("--config", TINY), "expected --checkpoint DIR"),
        (mask, "expected --video PATH for --mask"),
        (("--dataset", "mose", *folder, "--overlay", "video"), "--video PATH for --overlay"),
        ((*frames, *folder), "expected --dataset NAME for --root"),
        (("--sequences", "a"), "expected --dataset NAME for --sequences"),
        ((*UNTRAINED, *mask), "expected --video PATH for --mask"),
        ((*UNTRAINED, "--num-objects", 2), "up to 2 as --num_objects says, found 3"),
        ((*UNTRAINED, *frames), "frames: expected --mask FILE"),
        (("--checkpoint", tmp_path / "absent"), "absent: expected a checkpoint, found nothing"),
        (("--dataset", "davis2017"), "--root FOLDER of a benchmark, found one"),
        (("--dataset", "davis2017", "--root", "nowhere"), "nowhere: expected the folder of a data"),
        (("--check_data",), "--root FOLDER of a benchmark, found neither"),
        (("--dataset", "davis2017", *folder, *frames), "found both; drop one of them"),
        (("--scales", 0), "--scales: expected numbers above 0"),
        (("--scales", 1, "inf"), "--scales: expected numbers above 0"),
        (("--report_frames", -1), "--report_frames: expected at least 0, found -1"),
    ):
        assert message in run.fail(capsys, *words, "--output", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("place", ["frames", "checkpoint"])
def test_an_output_that_is_an_input_is_refused(capsys, clip, checkpoint, video, place):
    output = {"frames": clip / "frames", "checkpoint": checkpoint}[place]
    words = ("--checkpoint", checkpoint, *video, "--output", output, "--overwrite")
    assert f"{output}: expected a folder for results, found " in run.fail(capsys, *words)
    assert not (output / "masks").exists()


def test_the_script_itself_ends_with_one_line_and_exit_code_2(tmp_path):
    words = ("evaluate.py", *UNTRAINED, "--video", tmp_path / "absent.mp4")
    output, errors = run_python(*words, code=2)
    assert output == ""
    assert re.fullmatch(r"error: .*absent\.mp4: expected a video file .*\n", errors)
