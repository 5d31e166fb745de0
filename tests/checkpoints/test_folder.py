"""Checkpoints: complete or absent, and what they say when they cannot be read."""

import dataclasses
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
from seeded_weights import seeded_state_dict
from small_configs import BANK, MOBILENET, SWIN

from mavos_jax.checkpoints.description import write_description
from mavos_jax.checkpoints.folder import load, load_config_of, save
from mavos_jax.checkpoints.mismatch import WeightsMismatch
from mavos_jax.config import to_dict
from mavos_jax.conversion import convert_state_dict
from mavos_jax.conversion.convert import torch_shapes
from mavos_jax.models.mavos import MAVOS


def variables_of(config):
    return convert_state_dict(config, seeded_state_dict(torch_shapes(config)))


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
    save(str(tmp_path / "new" / "model"), config, variables)
    model, found = load(str(tmp_path / "new" / "model"))
    assert isinstance(model, MAVOS)
    assert model.config == config == load_config_of(tmp_path / "new" / "model")
    assert_same(found, variables)
    assert all(type(leaf) is np.ndarray for leaf in jax.tree.leaves(found))


def test_arrays_on_a_device_and_relative_paths(tmp_path, monkeypatch, bank):
    monkeypatch.chdir(tmp_path)
    save("model", BANK, jax.tree.map(jnp.asarray, bank))
    assert_same(load("model")[1], bank)


def test_folder_is_self_contained_and_readable(checkpoint):
    shutil.move(checkpoint, checkpoint.parent / "moved")
    text = (checkpoint.parent / "moved" / "config.json").read_text()
    assert text.count("\n") > 20
    description = json.loads(text)
    assert description["config"] == json.loads(json.dumps(to_dict(BANK)))
    assert description["jax"] == jax.__version__
    load(checkpoint.parent / "moved")
    assert [path.name for path in checkpoint.parent.iterdir()] == ["moved"]


def test_existing_paths_are_kept_unless_overwritten(tmp_path, checkpoint, bank):
    other = jax.tree.map(lambda array: array + 1, bank)
    with pytest.raises(ValueError, match="model: expected a path where nothing is yet"):
        save(checkpoint, BANK, other)
    assert_same(load(checkpoint)[1], bank)
    save(checkpoint, BANK, other, overwrite=True)
    assert_same(load(checkpoint)[1], other)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_only_checkpoints_are_overwritten(tmp_path, bank):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "thesis.tex").write_text("years")
    with pytest.raises(ValueError, match="expected a checkpoint to overwrite, found something"):
        save(tmp_path / "work", BANK, bank, overwrite=True)
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
        with pytest.raises(ValueError, match="RESOURCE_EXHAUSTED"):
            save(path, BANK, other, overwrite=overwrite)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert_same(load(checkpoint)[1], bank)


def refuse(path, match):
    with pytest.raises(ValueError, match=match) as caught:
        load(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_paths_that_are_no_checkpoints(tmp_path):
    refuse(tmp_path / "absent", "expected a checkpoint folder, found nothing")
    refuse(tmp_path, r"found no config\.json in it")
    (tmp_path / "x.pth").write_bytes(b"")
    refuse(tmp_path / "x.pth", r"found a file; convert .* with convert_torch_weights\.py first")


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[:200],
        lambda text: "[1]",
        lambda text: '{"config":' * 100_000,
        lambda text: text.replace('"config"', '"confog"'),
        lambda text: text.replace('"checksums": {', '"checksums": 0, "others": {'),
        lambda text: json.dumps(json.loads(text) | {"checksums": {}}),
        lambda text: text.replace('"config_checksum"', '"config_checksim"'),
        lambda text: text.replace('"align_corners": true', '"align_corners": false'),
        lambda text: text.replace('"gap"', '"gop"'),
        lambda text: text.replace('"window_radius": 2', '"window_radius": "two"'),
    ],
    ids=[
        *("empty", "truncated", "list", "deep", "missing", "no_checksums", "empty_checksums"),
        *("no_checksum", "changed", "unknown", "type"),
    ],
)
def test_damaged_configurations(checkpoint, damage):
    file = checkpoint / "config.json"
    file.write_text(damage(file.read_text()))
    message = refuse(checkpoint, "expected the description of a checkpoint, found a damaged one")
    with pytest.raises(ValueError, match="found a damaged one") as caught:
        load_config_of(checkpoint)
    assert str(caught.value) == message


def test_checkpoints_of_another_version(checkpoint):
    file = checkpoint / "config.json"
    file.write_text(file.read_text().replace('"format": 2', '"format": 1'))
    refuse(checkpoint, "found one of another version .* use the version that wrote it")


def refuse_to_open(folder):
    def scan(path):
        if os.fspath(path).startswith(os.fspath(folder)):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scandir(path)

    scandir = os.scandir
    return scan


def test_unreadable_weights_are_not_called_damaged(checkpoint, monkeypatch):
    monkeypatch.setattr(os, "scandir", refuse_to_open(checkpoint / "weights"))
    refuse(checkpoint, "found that this user may not read them; change the permissions")


def test_configuration_may_be_laid_out_otherwise(checkpoint):
    file = checkpoint / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()), sort_keys=True))
    assert load_config_of(checkpoint) == BANK


def largest(folder):
    return max((p for p in folder.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)


def truncate(weights):
    file = largest(weights)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def flip(weights):
    content = bytearray(largest(weights).read_bytes())
    content[len(content) // 2] ^= 255
    largest(weights).write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        truncate,
        flip,
        lambda weights: largest(weights).unlink(),
        lambda weights: (weights / "_METADATA").unlink(),
        lambda weights: (weights / "_METADATA").write_text("{"),
        lambda weights: (weights / "manifest.ocdbt").unlink(),
        lambda weights: shutil.rmtree(weights),
    ],
    ids=["truncated", "flipped", "no_data", "no_names", "bad_names", "no_manifest", "absent"],
)
def test_damaged_weights(checkpoint, capfd, damage):
    damage(checkpoint / "weights")
    refuse(checkpoint, "expected readable weights, found damaged ones")
    assert capfd.readouterr() == ("", ""), "no noise beside the exception"
    assert logging.getLogger("absl").level < logging.CRITICAL


def test_weights_that_differ_from_the_configuration_are_named(checkpoint):
    elstt = dataclasses.replace(BANK.elstt, window_radius=3)
    write_description(checkpoint, dataclasses.replace(BANK, elstt=elstt))
    message = refuse(checkpoint, "expected the weights of the configuration beside them")
    assert "4 mismatched: params/elstt/block_0/short_term/relative_key/bias" in message
    assert "(expected shape (8, 49), found (8, 25))" in message


def test_empty_constants_stay_a_dictionary(tmp_path):
    save(tmp_path / "model", SWIN, variables_of(SWIN))
    assert load(tmp_path / "model")[1]["constants"] == {}


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused_and_named(tmp_path, bank, value):
    kernel = bank["params"]["encoder_projector"]["kernel"].copy()
    kernel.flat[5] = value
    params = bank["params"] | {
        "encoder_projector": bank["params"]["encoder_projector"] | {"kernel": kernel}
    }
    save(tmp_path / "model", BANK, {"params": params, "constants": bank["constants"]})
    with pytest.raises(ValueError, match="params/encoder_projector/kernel") as caught:
        load(tmp_path / "model")
    assert str(tmp_path / "model") in str(caught.value)
