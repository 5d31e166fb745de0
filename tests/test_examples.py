"""Every example runs, on networks and videos of seconds."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
from benchmark_trees import write_videos
from jax import export as jax_export
from PIL import Image, ImageSequence
from small_configs import MOBILENET
from training.stand_in import CONFIG, stand_in_step
from video_files import SIZE, write_video

import mavos_jax
from mavos_jax.commands import export
from mavos_jax.generated.video import SyntheticVideo
from mavos_jax.media.masks import write_mask
from mavos_jax.media.results import write_picture
from mavos_jax.models.mavos import build_model, init_variables
from mavos_jax.models.memory import POLICIES
from mavos_jax.training import loop

EXAMPLES = Path(__file__).parents[1] / "examples"
VIDEO = SyntheticVideo(seed=1, num_frames=4, height=48, width=64, num_objects=2)


def example(name):
    return runpy.run_path(str(EXAMPLES / f"{name}.py"))


@pytest.fixture
def videos(tmp_path):
    write_videos(tmp_path, {"a": 4})
    return tmp_path


def checkpoint(path, config):
    mavos_jax.save(path, config, init_variables(build_model(config)))
    return path


@pytest.mark.parametrize("has_palette", [True, False])
def test_segment_video(videos, tmp_path, has_palette):
    weights = checkpoint(tmp_path / "weights", MOBILENET)
    frames, first = videos / "JPEGImages" / "a", videos / "Annotations" / "a" / "00000.png"
    if not has_palette:
        Image.fromarray(np.asarray(Image.open(first))).save(first)  # grey levels
    example("segment_video")["main"](frames, first, tmp_path / "out", weights)
    results = sorted((tmp_path / "out").iterdir())
    assert [path.name for path in results] == [f"{t:05}.png" for t in range(4)]
    picture = Image.open(results[0])
    assert picture.mode == "P"
    np.testing.assert_array_equal(np.asarray(picture), np.asarray(Image.open(first)))


def test_segment_video_reads_video_files(tmp_path):
    clip, weights = write_video(tmp_path / "clip.mp4", num_frames=3), tmp_path / "weights"
    write_mask(tmp_path / "first.png", np.eye(*SIZE, dtype=np.uint8))
    main = example("segment_video")["main"]
    main(clip, tmp_path / "first.png", tmp_path / "out", checkpoint(weights, MOBILENET))
    results = sorted((tmp_path / "out").iterdir())
    assert [np.asarray(Image.open(path)).shape for path in results] == [SIZE] * 3


def test_finetune(videos, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(loop, "build_step", stand_in_step())
    weights = checkpoint(tmp_path / "weights", CONFIG)
    example("finetune")["main"](videos, tmp_path / "run", weights, 2)
    assert "complete: 2 steps" in capsys.readouterr().out
    trained = mavos_jax.load(tmp_path / "run")[0].config
    assert trained.training.steps == 2
    assert trained.data.sources[0].root == str(videos)


def test_memory_policy(monkeypatch, capsys):
    functions = example("memory_policy")
    writes = np.arange(8, dtype=np.int32)
    slots = [int(functions["slot"](5, n)) for n in writes]
    assert slots == [1, 2, 1, 3, 1, 2, 1, 4]  # the written frames' ages double from place to place
    in_use = [int(functions["in_use"](5, n)) for n in writes]
    assert in_use == [1 + max(slots[:n], default=0) for n in writes]
    monkeypatch.setitem(POLICIES, "bank", POLICIES["bank"])  # to have it back afterwards
    functions["main"](4, 64)
    assert capsys.readouterr().out.count("mean IoU") == 2


def test_animate(tmp_path):
    for index, frame in enumerate(VIDEO.frames):
        write_picture(tmp_path / f"frames/{index}.png", frame)
        write_picture(tmp_path / f"overlays/{index}.jpg", frame)
    example("animate")["main"](tmp_path, tmp_path / "clip.gif")
    with Image.open(tmp_path / "clip.gif") as picture:
        assert picture.size == (2 * 64, 48)
        assert len(list(ImageSequence.Iterator(picture))) == 4


def test_notebook():
    cells = json.loads((EXAMPLES / "demo.ipynb").read_text())["cells"]
    assert all(cell.get("outputs") in (None, []) for cell in cells)
    names = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), cell["id"], "exec"), names)
    assert names["masks"].shape == names["frames"].shape[:3]
    assert len(names["np"].unique(names["masks"][-1])) > 1


def test_exported_programs_are_the_package(tmp_path, videos):
    output = tmp_path / "exported"
    path = checkpoint(tmp_path / "weights", MOBILENET)
    words = f"--checkpoint {path} --height 48 --width 64 --objects 2 --memory.gap 3"
    words += " --platforms cpu cuda"
    export.main([*words.split(), "--output", str(output)])
    frames = np.stack(list(VIDEO.frames))
    files = {"frames": frames, "mask": VIDEO.mask(0)}
    for name, array in files.items():
        np.save(tmp_path / name, array)
    names = [tmp_path / f"{name}.npy" for name in (*files, "masks")]
    example("run_exported")["main"](output / "cpu", *names)
    network = mavos_jax.load(path)
    expected = mavos_jax.segment_video(*network, frames, VIDEO.mask(0), num_objects=2, gap=3)
    np.testing.assert_array_equal(np.load(names[-1]), expected)
    assert len(np.unique(expected)) == 3
    exact = jax_export.deserialize(bytearray((output / "cuda/step.bin").read_bytes()))
    assert "HIGHEST" in exact.mlir_module()  # float32 products, which are TF32 by default there
    programs, weights = example("run_exported")["load"](output / "cpu")
    with pytest.raises(ValueError, match=r"48"):
        programs["init"](weights, frames[0][:40], VIDEO.mask(0)[:40])
    with pytest.raises(ValueError, match="existing"):
        export.main([*words.split(), "--output", str(output)])


@pytest.mark.campaign
def test_onnx_models_are_the_package(tmp_path):
    """In an environment of its own: the extra ``onnx``, whose converter needs JAX before 0.12."""
    pytest.importorskip("jax2onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    frames, mask = list(VIDEO.frames), VIDEO.mask(0)
    height, width = mask.shape
    words = f"--height {height} --width {width} --objects 2 --platforms onnx"
    export.main([*words.split(), "--output", str(tmp_path / "exported")])
    init, step = (
        onnxruntime.InferenceSession(str(tmp_path / f"exported/onnx/{name}.onnx"))
        for name in ("init", "step")
    )

    def run(session, *arrays):
        names = [each.name for each in session.get_inputs()]
        return session.run(None, dict(zip(names, arrays, strict=True)))

    state = run(init, frames[0], mask)
    expected = mavos_jax.segment_video(*mavos_jax.load_default(), frames, mask, num_objects=2)
    for frame, wanted in zip(frames[1:], expected[1:], strict=True):
        *state, found, _, _ = run(step, *state, frame)
        assert (found != wanted).mean() < 1e-3
