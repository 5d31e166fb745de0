import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from programs import Program
from video_files import set_matrix

import evaluate
from mavos_jax.checkpoints import packaged as default_weights
from mavos_jax.checkpoints.folder import save
from mavos_jax.checkpoints.packaged import to_arrays, write_default
from mavos_jax.commands.options import load_config
from mavos_jax.generated.video import SyntheticVideo
from mavos_jax.media.masks import read_mask, write_mask
from mavos_jax.media.overlay import video_writer, write_picture
from mavos_jax.models.mavos import build_model, init_variables

ROOT = Path(__file__).parents[1]
CLIP = SyntheticVideo(seed=1, num_frames=5, height=48, width=64, num_objects=2)
SMALL = ("--elstt.num_blocks", "1", "--inference.chunk_frames", "2")
UNTRAINED = ("--config", str(ROOT / "configs" / "tiny.py"), "--untrained", *SMALL)
run = Program(evaluate.main)
SCORES = r"J \d+\.\d, F \d+\.\d, J&F \d+\.\d \(means over objects, .*\)"


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
    return init_variables(build_model(load_config(ROOT / "configs" / "tiny.py", SMALL)), 0)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory, variables):
    path = tmp_path_factory.mktemp("weights") / "tiny"
    save(path, load_config(ROOT / "configs" / "tiny.py", SMALL), variables)
    return path


@pytest.fixture
def packaged(tmp_path, monkeypatch, variables):
    """Fresh weights in the place of those that come with the package; returns their folder."""
    folder = tmp_path / "packaged"
    config = load_config(ROOT / "configs" / "tiny.py", (*SMALL, "--inference.max_long_edge", "64"))
    write_default(folder, config, to_arrays(variables), {})
    monkeypatch.setattr(default_weights, "packaged_folder", lambda: folder)
    return folder


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


def test_a_trace_of_the_run(clip, packaged, tmp_path):
    words = ("--video", clip / "frames", "--mask", clip / "first.png", "--output", tmp_path / "out")
    run(*words, "--profile", tmp_path / "trace")
    (trace,) = (tmp_path / "trace").rglob("perfetto_trace.json.gz")
    with gzip.open(trace, "rt") as file:
        events = {event.get("name", "") for event in json.load(file)["traceEvents"]}
    assert any("segment_chunk" in name for name in events)


def names(folder):
    return sorted(file.name for file in folder.iterdir())


@pytest.mark.parametrize("source", ["frames", "clip.mp4"])
def test_a_checkpoint_segments_a_video(tmp_path, capsys, clip, checkpoint, source):
    output = tmp_path / "out"
    run(
        *("--checkpoint", checkpoint, "--video", clip / source, "--mask", clip / "first.png"),
        *("--output", output, "--overlay", "pictures", "--memory.gap", 2),
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "frames: 5; objects: 2"
    last = lines[-1]
    number = r"\d+\.\d\d"
    assert re.fullmatch(
        rf"5 frames, 2 objects, {number} FPS \({number} without tracing and compilation\), "
        rf"peak resident memory {number} GB",
        last,
    )
    assert names(output / "masks") == [f"{i:05d}.png" for i in range(5)]
    assert names(output / "overlays") == [f"{i:05d}.jpg" for i in range(5)]
    first, _ = read_mask(output / "masks" / "00000.png", (48, 64))
    np.testing.assert_array_equal(first, CLIP.mask(0))
    for name in names(output / "masks"):
        ids, _ = read_mask(output / "masks" / name, (48, 64), allow_empty=True)
        assert set(np.unique(ids)) <= {0, 1, 2}


def test_the_first_lines_say_what_was_chosen(tmp_path, capsys, clip, checkpoint):
    video = tmp_path / "12:30:05.mp4"
    shutil.copy(clip / "clip.mp4", video)
    set_matrix(video, (-1, 0, 0, -1))
    words = ("--checkpoint", checkpoint, "--video", video, "--mask", clip / "first.png")
    run(*words, "--start", 2, "--memory.gap", 2, "--output", tmp_path / "run:1")
    assert capsys.readouterr().out.splitlines()[:2] == [
        "frames: 3 from 00002 on, 2 skipped; objects: 2",
        "video: 5 frames of stream 0 (64x48, turned by 180 degrees)",
    ]
    assert names(tmp_path / "run:1" / "masks") == [f"{i:05d}.png" for i in (2, 3, 4)]
    error = run.fail(capsys, *words, "--start", 5, "--output", tmp_path / "none")
    assert "--start" in error
    assert "'5'" in error


def test_fresh_weights_on_a_generated_clip(tmp_path, capsys):
    run(*UNTRAINED, "--output", tmp_path, "--inference.max_long_edge", 64, "--num-objects", 4)
    lines = capsys.readouterr().out.splitlines()
    assert "untrained" in lines[0]
    assert "mean nothing" in lines[0]
    assert lines[-1].startswith("24 frames, 4 objects, ")
    assert re.fullmatch(SCORES, lines[-2])
    assert names(tmp_path) == ["frames", "masks", "overlays"]
    assert names(tmp_path / "frames") == names(tmp_path / "masks")


def test_without_options_the_packaged_weights_segment_a_generated_clip(
    tmp_path, capsys, monkeypatch, packaged
):
    monkeypatch.chdir(tmp_path)
    run()
    weights, task, masks, overlays, scores, report = capsys.readouterr().out.splitlines()
    assert weights.startswith("weights: tiny, small demonstration weights trained on generated")
    assert task == "frames: 24; objects: 3"
    assert masks == "masks are in demo/masks"
    assert overlays == "overlays are in demo/overlays"
    assert re.fullmatch(SCORES, scores)
    assert report.startswith("24 frames, 3 objects, ")
    assert names(tmp_path / "demo") == ["frames", "masks", "overlays"]
    assert all(len(names(folder)) == 24 for folder in (tmp_path / "demo").iterdir())

    assert "demo: expected a folder without results, found demo/masks/00000.png" in run.fail(capsys)
    run("--overwrite", "--overlay", "none", "--num-objects", "5")
    assert names(tmp_path / "demo" / "overlays") == []


def test_without_a_checkpoint_the_packaged_weights_segment_a_video(
    tmp_path, capsys, monkeypatch, packaged, clip
):
    monkeypatch.chdir(tmp_path)
    run("--video", clip / "frames", "--mask", clip / "first.png")
    weights, _, masks, report = capsys.readouterr().out.splitlines()
    assert "small demonstration weights trained on generated videos" in weights
    assert masks == "masks are in output/masks"
    assert report.startswith("5 frames, 2 objects, ")
    assert names(tmp_path / "output") == ["masks"]


@pytest.mark.parametrize("name", ["tiny.npz", "tiny.json"])
def test_without_the_packaged_weights_one_line_says_what_to_do(
    tmp_path, capsys, monkeypatch, packaged, name
):
    monkeypatch.chdir(tmp_path)
    (packaged / name).unlink()
    error = run.fail(capsys)
    assert f"{name}: expected the weights that come with the package, found none" in error
    assert "--checkpoint DIR" in error
    assert "--config configs/tiny.py --untrained" in error
    assert not (tmp_path / "demo").exists()


def test_a_configuration_without_weights_is_one_line_that_says_how_to_get_some(capsys):
    error = run.fail(capsys, "--config", ROOT / "configs" / "tiny.py")
    assert "expected --checkpoint DIR" in error
    assert "convert_torch_weights.py" in error
    assert "--config configs/tiny.py --untrained" in error


def test_wrong_input_is_refused_before_anything_is_written(tmp_path, capsys, clip):
    write_mask(tmp_path / "narrow.png", CLIP.mask(0)[:, 1:].copy())
    write_mask(tmp_path / "empty.png", np.zeros((48, 64), np.uint8))
    cut = tmp_path / "cut.mp4"
    cut.write_bytes((clip / "clip.mp4").read_bytes())
    os.truncate(cut, cut.stat().st_size // 2)
    (tmp_path / "nothing").mkdir()
    frames, first = clip / "frames", clip / "first.png"
    cases = {
        (frames, tmp_path / "narrow.png"): r"narrow\.png: .* 48 x 64 .* found 48 x 63",
        (frames, tmp_path / "empty.png"): r"empty\.png: expected at least one object",
        (frames, frames / "00000.png"): r"00000\.png: expected the mask outside the folder",
        (frames, clip / "clip.mp4"): r"clip\.mp4: expected a mask that can be decoded",
        (cut, first): r"cut\.mp4: expected .* cut off",
        (tmp_path / "nothing", first): r"nothing: expected frames",
        (tmp_path / "absent", first): r"absent: expected a video file or a folder of frames",
    }
    for (video, mask), message in cases.items():
        words = ("--video", video, "--mask", mask, "--output", tmp_path / "out")
        assert re.search(message, run.fail(capsys, *UNTRAINED, *words))
        assert not (tmp_path / "out").exists()


def test_wrong_combinations_are_refused(tmp_path, capsys, clip, checkpoint):
    output = ("--output", tmp_path / "out")
    cases = {
        ("--checkpoint", checkpoint, "--untrained"): "--checkpoint or --untrained, found both",
        ("--checkpoint", checkpoint): "--video PATH or --dataset NAME, found neither",
        ("--untrained",): "expected --config FILE for --untrained",
        ("--mask", clip / "first.png"): "expected --video PATH for --mask",
        ("--start", "3"): "expected --video PATH for --start",
        ("--annotations", "all"): "expected --video PATH for --annotations",
        ("--dataset", "mose", "--root", clip, "--overlay", "video"): "--video PATH for --overlay",
        ("--video", clip / "frames", "--root", clip): "expected --dataset NAME for --root",
        ("--sequences", "a"): "expected --dataset NAME for --sequences",
        (*UNTRAINED, "--mask", clip / "first.png"): "expected --video PATH for --mask",
        (*UNTRAINED, "--num-objects", 2): "expected ids up to 2 as --num_objects says, found 3",
        (*UNTRAINED, "--video", clip / "frames"): "frames: expected --mask FILE",
        ("--checkpoint", tmp_path / "absent"): "absent: expected a checkpoint folder",
        ("--checkpoint", checkpoint, "--elstt.dim", 32): "elstt.dim",
    }
    for words, message in cases.items():
        assert message in run.fail(capsys, *words, *output)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("place", ["frames", "checkpoint"])
def test_an_output_that_is_an_input_is_refused(capsys, clip, checkpoint, place):
    output = {"frames": clip / "frames", "checkpoint": checkpoint}[place]
    error = run.fail(
        capsys,
        *("--checkpoint", checkpoint, "--video", clip / "frames", "--mask", clip / "first.png"),
        *("--output", output, "--overwrite"),
    )
    assert f"{output}: expected a folder for results, found " in error
    assert not (output / "masks").exists()


def test_the_script_itself_ends_with_one_line_and_exit_code_2(tmp_path):
    result = subprocess.run(
        [sys.executable, "evaluate.py", *UNTRAINED, "--video", tmp_path / "absent.mp4"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout) == (2, "")
    assert re.fullmatch(r"error: .*absent\.mp4: expected a video file .*\n", result.stderr)
