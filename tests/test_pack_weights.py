import itertools
import json
import re

import jax
import numpy as np
import pack_weights
import pytest
from pack_weights import read_curve, to_arrays
from refusals import refuse
from small_configs import RESNET, vary

from mavos_jax.checkpoints.description import write_description
from mavos_jax.checkpoints.weights import DEFAULT_NAME, load, load_default, read_default, save
from mavos_jax.evaluation.one_video import in_percent, score_demonstration
from mavos_jax.models.mavos import build_model, init_variables
from mavos_jax.runtime.trees import leaves_by_path

CONFIG = vary(RESNET, name=DEFAULT_NAME, inference={"max_long_edge": 64})
FACTS = {"seed": 3, "command": "python train.py", "commit": "abc"}


def line(step, kind="train", **values):
    return json.dumps({"step": step, "kind": kind, **values}) + "\n"


def training(step):
    ious = [0.0, step / 1000, step / 1000 + 0.2]
    return line(step, loss=1 / (1 + step), frame_ious=ious, rate=0.1)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a training run with one checkpoint, of step 40; must not be changed."""
    folder = tmp_path_factory.mktemp("run")
    step = folder / "checkpoints" / "40"
    save(step, CONFIG, init_variables(build_model(CONFIG), 0))
    others = {"step": 40, "score": 0.5, **FACTS, "data_position": 40, "checksums": {"a": "b"}}
    write_description(step, CONFIG, others)
    (folder / "metrics.jsonl").write_text("".join(training(step) for step in range(0, 60, 20)))
    return folder


def pack(run, output, *words):
    pack_weights.main(["--output", str(output), "--checkpoint", str(run), *map(str, words)])


def test_several_checkpoints_are_averaged(run, tmp_path):
    stored = load(run)[1]
    narrow = vary(CONFIG, decoder={"dim": 48})
    save(tmp_path / "narrow", narrow, init_variables(build_model(narrow), 0))
    refuse("narrow: expected .* found decoder.dim", pack, run, tmp_path / "x", tmp_path / "narrow")
    save(tmp_path / "wide", vary(CONFIG, memory={"num_heads": 1}), stored)
    refuse("wide: expected a network like", pack, run, tmp_path / "x", tmp_path / "wide")
    refuse("--zero nowhere: expected", pack, run, tmp_path / "x", "--zero", "nowhere")
    save(tmp_path / "other", CONFIG, jax.tree.map(lambda leaf: 3 * leaf, stored))
    pack(run, tmp_path / "weights", tmp_path / "other", "--zero", "decoder/.*/bias")
    found, expected = leaves_by_path(load_default(tmp_path / "weights")[1]), leaves_by_path(stored)
    assert found.keys() == expected.keys()
    for name, leaf in expected.items():
        factor = 0 if re.search("decoder/.*/bias", name) else 2
        np.testing.assert_allclose(found[name], factor * leaf, rtol=1e-3, atol=1e-7)


def test_a_run_is_packed_with_its_origin_scores_and_curve(run, tmp_path, capsys):
    (tmp_path / "scores.json").write_text('{"held_out": {"J&F": 77.7}}')
    about = "for research"
    pack(run, tmp_path / "weights", "--scores", tmp_path / "scores.json", "--about", about)
    model, variables = load_default(tmp_path / "weights")
    assert model.config == CONFIG
    origin = dict(read_default(tmp_path / "weights").others)
    scores = {"held_out": {"J&F": 77.7}}
    scores["demonstration"] = in_percent(score_demonstration(model, variables))
    assert origin.pop("scores") == scores
    assert origin.pop("curve") == {
        "train": {"step": [0, 20, 40], "loss": [1.0, 0.04762, 0.02439], "iou": [0.1, 0.12, 0.14]}
    }
    assert origin == {"step": 40, "about": about, **FACTS}
    assert "step 40, scores" in capsys.readouterr().out


def test_options_change_the_configuration_of_the_weights(run, tmp_path):
    pack(run, tmp_path, "--memory.gap", 1)
    model, _ = load_default(tmp_path)
    assert model.config == vary(CONFIG, memory={"gap": 1})
    refuse("decoder", pack, run, tmp_path, "--overwrite", "--decoder.dim", 64)


def test_files_are_replaced_only_on_request(run, tmp_path):
    pack(run, tmp_path)
    refuse(rf"{DEFAULT_NAME}\.safetensors: expected a new file.*--overwrite", pack, run, tmp_path)
    pack(run, tmp_path, "--overwrite")
    load_default(tmp_path)


def test_what_does_not_fit_float16_or_the_package_is_not_packed(run, tmp_path, monkeypatch):
    for value in (1e5, np.nan):
        variables = {"params": {"a": {"b": np.asarray([1, value])}}}
        refuse("params/a/b: expected numbers that float16 holds", to_arrays, variables)
    kept = to_arrays({"constants": {"c": np.float64(1e5)}, "params": {"d": np.float32(1 / 3)}})
    dtypes = {name: x.dtype.name for name, x in kept.items()}
    assert dtypes == {"constants/c": "float32", "params/d": "float16"}
    monkeypatch.setattr(pack_weights, "_MAX_BYTES", 1000)
    refuse(f"{DEFAULT_NAME}.* expected weights of at most", pack, run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_long_curve_is_thinned_to_evenly_spaced_points(tmp_path):
    file = tmp_path / "metrics.jsonl"
    scored = [line(step, "evaluation", **{"J": 0.5, "F": 0.6, "J&F": 0.55}) for step in (0, 9, 300)]
    file.write_text("".join([*map(training, range(301)), *scored]))
    curves = read_curve(file, 250)
    steps = curves["train"]["step"]
    assert len(steps) == len(curves["train"]["loss"]) == 100
    assert (steps[0], steps[-1]) == (0, 250)
    assert {later - step for step, later in itertools.pairwise(steps)} == {2, 3}
    scores = {"J": [0.5] * 2, "F": [0.6] * 2, "J&F": [0.55] * 2}
    assert curves["evaluation"] == {"step": [0, 9], **scores}
    assert read_curve(file)["train"]["step"][-1] == 300


@pytest.mark.parametrize("text", ["", "[1]"])
def test_damaged_scores_are_refused(run, tmp_path, text):
    scores = tmp_path / "scores"
    scores.write_text(text)
    refuse("scores: expected scores", pack, run, tmp_path / "weights", "--scores", scores)
    assert not (tmp_path / "weights").exists()
