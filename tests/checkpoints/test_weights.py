import json
import logging
import os
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import pytest
import small_configs
from checkpoints.damage import flip
from refusals import refuse
from seeded_weights import seeded_state
from small_configs import BANK, MOBILENET, vary

from mavos_jax.checkpoints.description import write_description
from mavos_jax.checkpoints.mismatch import WeightsMismatch
from mavos_jax.checkpoints.weights import load, load_config_of, save
from mavos_jax.config import to_dict
from mavos_jax.conversion import convert_state_dict
from mavos_jax.models.mavos import MAVOS


def variables_of(config):
    return convert_state_dict(config, seeded_state(config))


@pytest.fixture(scope="module")
def bank():
    return variables_of(BANK)


@pytest.fixture
def checkpoint(tmp_path, bank):
    save(tmp_path / "model", BANK, bank)
    return tmp_path / "model"


def assert_same(found, expected):
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    jax.tree.map(np.testing.assert_array_equal, found, expected)


@pytest.mark.parametrize("config", small_configs.ALL, ids=lambda config: config.name)
def test_load_gives_back_what_was_saved(tmp_path, config):
    variables = variables_of(config)
    for path in (tmp_path / "new" / "model", tmp_path / "newer" / "model.safetensors"):
        save(str(path), config, variables)
        model, found = load(str(path))
        assert isinstance(model, MAVOS)
        assert model.config == config == load_config_of(path)
        assert_same(found, variables)
        assert all(type(leaf) is np.ndarray for leaf in jax.tree.leaves(found))


def test_folder_is_self_contained_and_readable(tmp_path, monkeypatch, bank):
    monkeypatch.chdir(tmp_path)
    save("model", BANK, jax.tree.map(jnp.asarray, bank))
    moved = (tmp_path / "model").rename("moved")
    text = (moved / "config.json").read_text()
    assert text.count("\n") > 20
    description = json.loads(text)
    assert description["config"] == json.loads(json.dumps(to_dict(BANK)))
    assert description["jax"] == jax.__version__
    (moved / "config.json").write_text(json.dumps(description, sort_keys=True))
    assert_same(load("moved")[1], bank)
    assert [path.name for path in tmp_path.iterdir()] == ["moved"]


def test_existing_paths_are_kept_unless_overwritten(tmp_path, checkpoint, bank):
    other = jax.tree.map(lambda array: array + 1, bank)
    refuse("model: expected a path where nothing is yet", save, checkpoint, BANK, other)
    assert_same(load(checkpoint)[1], bank)
    save(checkpoint, BANK, other, overwrite=True)
    assert_same(load(checkpoint)[1], other)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_only_checkpoints_are_overwritten(tmp_path, bank):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "thesis.tex").write_text("years")
    match = "expected a checkpoint to overwrite, found something"
    refuse(match, save, tmp_path / "work", BANK, bank, overwrite=True)
    assert (tmp_path / "work" / "thesis.tex").exists()


def test_variables_of_another_network_are_not_saved(tmp_path, bank):
    with pytest.raises(WeightsMismatch) as caught:
        save(tmp_path / "model", MOBILENET, bank)
    assert len(caught.value.problems.missing) == 114
    assert not list(tmp_path.iterdir())


def test_failed_save_leaves_nothing(tmp_path, monkeypatch, checkpoint, bank):
    def fill_disk(*args, **kwargs):
        raise ValueError("RESOURCE_EXHAUSTED")

    monkeypatch.setattr(ocp.StandardCheckpointer, "save", fill_disk)
    other = jax.tree.map(lambda array: array + 1, bank)
    for path, overwrite in ((tmp_path / "second", False), (checkpoint, True)):
        refuse("RESOURCE_EXHAUSTED", save, path, BANK, other, overwrite=overwrite)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert_same(load(checkpoint)[1], bank)


def test_paths_that_are_no_checkpoints(tmp_path):
    (tmp_path / "x.pth").touch()
    refuse(f"^{tmp_path}/absent: .*found nothing", load, tmp_path / "absent")
    refuse(rf"^{tmp_path}: .*found no config\.json in it", load, tmp_path)
    converted = r"convert .* with convert_torch_weights\.py first"
    refuse(f"^{tmp_path}/x.pth: .*found another file; {converted}", load, tmp_path / "x.pth")


DAMAGES = {
    "truncated": lambda text: text[:200],
    "list": lambda text: "[1]",
    "deep": lambda text: '{"config":' * 100_000,
    "missing": lambda text: text.replace('"config"', '"confog"'),
    "no_checksums": lambda text: text.replace('"checksums": {', '"checksums": 0, "others": {'),
    "empty_checksums": lambda text: json.dumps(json.loads(text) | {"checksums": {}}),
    "no_checksum": lambda text: text.replace('"config_checksum"', '"config_checksim"'),
    "changed": lambda text: text.replace('"align_corners": true', '"align_corners": false'),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_damaged_configurations(checkpoint, kind):
    file = checkpoint / "config.json"
    file.write_text(DAMAGES[kind](file.read_text()))
    for read in (load, load_config_of):
        refuse(f"{checkpoint}.*: .* found a damaged one", read, checkpoint)


def test_unreadable_weights_are_not_called_damaged(checkpoint, monkeypatch):
    scandir = os.scandir

    def scan(path):
        if os.fspath(path).startswith(str(checkpoint / "weights")):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scan)
    refuse(f"{checkpoint}.* may not read them; change the permissions", load, checkpoint)


WEIGHT_DAMAGES = {
    "flipped": flip,
    "missing": lambda weights: flip(weights).unlink(),
    "absent": shutil.rmtree,
}


@pytest.mark.parametrize("kind", WEIGHT_DAMAGES)
def test_damaged_weights(checkpoint, capfd, kind):
    WEIGHT_DAMAGES[kind](checkpoint / "weights")
    refuse(f"{checkpoint}.*: .* found damaged ones", load, checkpoint)
    assert capfd.readouterr() == ("", ""), "no noise beside the exception"
    assert logging.getLogger("absl").level < logging.CRITICAL


def test_weights_that_differ_from_the_configuration_are_named(checkpoint):
    write_description(checkpoint, vary(BANK, elstt={"window_radius": 3}))
    name = r"params/elstt/block_0/short_term/relative_key/bias"
    message = refuse(f"{checkpoint}.*4 mismatched: {name}", load, checkpoint)
    assert "(expected shape (8, 49), found (8, 25))" in message


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused_and_named(tmp_path, bank, value):
    variables = jax.tree.map(np.array, bank)
    variables["params"]["encoder_projector"]["kernel"].flat[5] = value
    save(tmp_path / "model", BANK, variables)
    refuse(f"{tmp_path}/model.*params/encoder_projector/kernel", load, tmp_path / "model")
