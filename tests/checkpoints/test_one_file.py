import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from checkpoints.damage import flip
from programs import run_python
from refusals import refuse
from safetensors import safe_open
from safetensors.numpy import load_file
from safetensors.numpy import save as to_safetensors
from small_configs import BANK, RESNET

from mavos_jax.checkpoints.weights import load, load_config_of, save, write_file
from mavos_jax.config import to_dict
from mavos_jax.models.mavos import build_model, init_variables
from mavos_jax.runtime.trees import leaves_by_path, nested


@pytest.fixture(scope="module")
def variables():
    return jax.device_get(init_variables(build_model(BANK), 0))


@pytest.fixture
def file(tmp_path, variables):
    save(tmp_path / "model.safetensors", BANK, variables)
    return tmp_path / "model.safetensors"


def describe(file, **values):
    """Changes entries of a file's description; returns all of them."""
    with safe_open(file, "np") as opened:
        description = json.loads(opened.metadata()["mavos_jax"]) | values
    file.write_bytes(to_safetensors(load_file(file), {"mavos_jax": json.dumps(description)}))
    return description


def test_a_file_says_what_its_weights_are(file):
    description = describe(file)
    assert description["config"] == json.loads(json.dumps(to_dict(BANK)))
    assert description["jax"] == jax.__version__
    assert len(description["checksums"]) == len(load_file(file))
    assert load(file)[0].config == load_config_of(file) == BANK


def test_a_file_is_written_and_read_without_orbax(tmp_path, file):
    program = f"""
import sys, mavos_jax
model, variables = mavos_jax.load({str(file)!r})
mavos_jax.save({str(tmp_path / "again.safetensors")!r}, model.config, variables)
mavos_jax.load_default()
print("orbax" in sys.modules, "safetensors" in sys.modules)
"""
    assert run_python("-c", program)[0] == "False True\n"
    assert (tmp_path / "again.safetensors").read_bytes() == file.read_bytes()


@pytest.mark.parametrize("kind", [np.float16, jnp.bfloat16])
def test_half_precision_of_any_layout_and_order_is_read_as_float32(tmp_path, file, variables, kind):
    halves = {
        name: np.asfortranarray(np.asarray(x).astype(kind))
        for name, x in leaves_by_path(variables).items()
    }
    write_file(file, BANK, halves)
    save(tmp_path / "folder", BANK, {"constants": {}, **nested(halves)})
    content = file.read_bytes()
    for path in (file, tmp_path / "folder"):
        found = leaves_by_path(load(path)[1])
        assert found.keys() == halves.keys()
        for name, half in halves.items():
            assert found[name].dtype == np.float32
            np.testing.assert_array_equal(found[name], half.astype(np.float32))
    write_file(file, BANK, dict(reversed(halves.items())))
    assert file.read_bytes() == content


def test_only_files_of_this_package_are_overwritten(tmp_path, file, variables):
    before = file.read_bytes()
    refuse("model.safetensors: expected a path where nothing is yet", save, file, BANK, variables)
    save(file, BANK, jax.tree.map(lambda array: array + 1, variables), overwrite=True)
    assert file.read_bytes() != before
    foreign, folder = tmp_path / "foreign.safetensors", tmp_path / "folder.safetensors"
    foreign.write_bytes(to_safetensors({"a": np.ones(2)}, {"format": "pt"}))
    save(tmp_path / "folder", BANK, variables)
    (tmp_path / "folder").rename(folder)
    (tmp_path / "text.safetensors").write_text("my thesis")
    for path in (foreign, folder, tmp_path / "text.safetensors"):
        refuse("to overwrite, found something", save, path, BANK, variables, overwrite=True)
    refuse("foreign.*another file; convert PyTorch weights", load, foreign)
    assert load(folder)[0].config == BANK
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("folder.safetensors", "foreign.safetensors", "model.safetensors", "text.safetensors")
    ]


def test_damaged_files_are_refused(file):
    content = file.read_bytes()
    for damaged in (content[:-1], content[:500], b"", b"version https://git-lfs.github.com/spec\n"):
        file.write_bytes(damaged)
        for read in (load, load_config_of):
            refuse(f"^{file}: expected .* found a damaged one", read, file)


def test_every_changed_byte_of_the_weights_is_noticed(file):
    flip(file.parent)
    assert load_config_of(file) == BANK
    refuse(f"^{file}: .* found damaged ones .*params/", load, file)


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"format": 99}, "format 2, found 99.* use the version that wrote it"),
        ({"config": to_dict(RESNET)}, "found a damaged one .*'config'"),
        ({"others": 3}, "found a damaged one .*'others'"),
    ],
)
def test_descriptions_of_another_version_and_changed_ones(file, values, match):
    describe(file, **values)
    refuse(f"^{file}: .*{match}", load, file)
