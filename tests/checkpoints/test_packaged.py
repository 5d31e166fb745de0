import numpy as np
import pytest
from refusals import refuse
from small_configs import RESNET, vary

import mavos_jax
from mavos_jax.checkpoints import weights
from mavos_jax.checkpoints.weights import DEFAULT_NAME, describe_default, load_stored, read_default
from mavos_jax.evaluation.one_video import in_percent, score_demonstration
from mavos_jax.models.mavos import build_model, init_variables
from mavos_jax.runtime.trees import leaves_by_path

CONFIG = vary(RESNET, name=DEFAULT_NAME)


def test_weights_of_a_folder_are_described_in_a_line(tmp_path, monkeypatch):
    assert "non-commercial use" in describe_default(read_default())
    variables = init_variables(build_model(CONFIG), 0)
    mavos_jax.save(tmp_path / f"{DEFAULT_NAME}.safetensors", CONFIG, variables)
    assert mavos_jax.load_default(tmp_path)[0].config == CONFIG
    monkeypatch.setattr(weights, "FOLDER", tmp_path)
    assert describe_default(read_default()) == DEFAULT_NAME


def test_missing_weights_are_an_error_that_says_what_to_do(tmp_path):
    words = rf"{DEFAULT_NAME}\.safetensors: .* found none; .*--checkpoint DIR"
    refuse(words, mavos_jax.load_default, tmp_path)


@pytest.mark.parametrize("name", ["tiny", "small"])
def test_weights_of_the_package_are_small_and_in_float32(name):
    file = weights.FOLDER / f"{name}.safetensors"
    assert file.stat().st_size < 16_000_000
    _, variables = mavos_jax.load(file)
    assert {x.dtype for x in leaves_by_path(variables).values()} == {np.dtype(np.float32)}


def test_the_packaged_weights_follow_the_objects_of_the_demonstration():
    stored = read_default()
    scores = in_percent(score_demonstration(*load_stored(stored)))
    assert scores["J&F"] >= 80
    recorded = stored.others["scores"]["demonstration"]
    assert scores == pytest.approx(recorded, abs=0.5)  # another processor rounds in other places
