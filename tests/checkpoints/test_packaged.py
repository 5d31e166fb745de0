import json

import jax
import numpy as np
import pytest
from checkpoints.damage import flip
from refusals import refuse
from small_configs import RESNET, SWIN, vary

import mavos_jax
from mavos_jax.checkpoints import packaged as default_weights
from mavos_jax.checkpoints.packaged import (
    describe_default,
    load_default,
    to_arrays,
    to_variables,
    write_default,
)
from mavos_jax.config import to_dict
from mavos_jax.evaluation.one_video import in_percent, score_demonstration
from mavos_jax.models.mavos import build_model, init_variables

CONFIG = vary(RESNET, name="tiny")
ORIGIN = {"step": 7, "command": "train", "scores": {"demonstration": {"J&F": 12.3}}}


@pytest.fixture(scope="module")
def variables():
    return jax.device_get(init_variables(build_model(CONFIG), 0))


@pytest.fixture
def folder(tmp_path, variables):
    write_default(tmp_path / "weights", CONFIG, to_arrays(variables), ORIGIN)
    return tmp_path / "weights"


def change(folder, **values):
    file = folder / "tiny.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def test_what_was_written_is_loaded_in_float32(folder, variables):
    model, loaded = mavos_jax.load_default(folder)
    assert model.config == CONFIG

    def check(path, before, after):
        assert after.dtype == np.float32
        tolerance = 2**-11 if path[0].key == "params" else 0
        np.testing.assert_allclose(after, before, rtol=tolerance, atol=2**-25)

    jax.tree_util.tree_map_with_path(check, variables, loaded)


def test_a_description_says_in_a_line_what_the_weights_are(folder):
    line = str(describe_default(folder))
    assert "small demonstration weights trained on generated videos" in line
    assert "J&F 12.3" in line
    change(folder, scores={})
    assert "J&F" not in str(describe_default(folder))


def test_the_same_weights_give_the_same_bytes(folder, tmp_path, variables):
    reordered = dict(reversed(to_arrays(variables).items()))
    for file in write_default(tmp_path / "again", CONFIG, reordered, ORIGIN):
        assert file.read_bytes() == (folder / file.name).read_bytes()


@pytest.mark.parametrize("name", ["tiny.npz", "tiny.json"])
def test_missing_weights_are_an_error_that_says_what_to_do(folder, name):
    (folder / name).unlink()
    refuse(rf"{name}: expected .* found none .*--checkpoint DIR", load_default, folder)


def test_every_changed_byte_is_noticed(folder):
    assert flip(folder).name == "tiny.npz"
    refuse(r"tiny\.npz: expected the weights that tiny\.json", load_default, folder)


def test_weights_of_another_network_are_refused(folder):
    change(folder, config=to_dict(vary(SWIN, name="tiny")))
    refuse(r"tiny\.npz: .*missing: .*params/encoder", load_default, folder)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ({"format": 99}, "format 1"),
        ({"config": {"name": "tiny", "layers": 3}}, "layers"),
        ({"config": {}}, "name"),
        *((text, "") for text in ("", "[]", '{"format": 1}', "{")),
    ],
)
def test_a_damaged_description_is_one_line(folder, damage, message):
    if isinstance(damage, dict):
        change(folder, **damage)
    else:
        (folder / "tiny.json").write_text(damage)
    refuse(rf"tiny\.json: expected a description.*{message}", describe_default, folder)


@pytest.mark.parametrize("value", [1e5, np.nan])
def test_numbers_that_are_beyond_float16_are_refused_by_name(value):
    variables = {"params": {"a": {"b": np.asarray([1, value], np.float32)}}, "constants": {}}
    refuse("params/a/b: expected numbers that float16 holds", to_arrays, variables)
    kept = to_variables(to_arrays({"params": {}, "constants": {"c": np.float32(1e5)}}))
    assert kept["constants"]["c"] == 1e5


def test_what_does_not_fit_the_network_or_the_package_is_not_written(
    tmp_path, variables, monkeypatch
):
    arrays, output = to_arrays(variables), tmp_path / "out"
    refuse("missing: ", write_default, output, CONFIG, dict([*arrays.items()][1:]), {})
    monkeypatch.setattr(default_weights, "_MAX_BYTES", 1000)
    refuse("tiny: expected weights of at most", write_default, output, CONFIG, arrays, {})
    assert not (tmp_path / "out").exists()


def test_the_packaged_weights_follow_the_objects_of_the_demonstration():
    scores = in_percent(score_demonstration(*load_default()))
    assert scores["J&F"] >= 80
    recorded = describe_default().origin["scores"]["demonstration"]
    assert scores == pytest.approx(recorded, abs=0.5)  # another processor rounds in other places
