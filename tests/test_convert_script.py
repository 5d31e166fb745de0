"""``convert_torch_weights.py`` as a command: what it prints, its exit codes, nothing half-done."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from programs import Program
from seeded_weights import seeded_state_dict

from convert_torch_weights import main
from mavos_jax.checkpoints.folder import load
from mavos_jax.commands.parser import load_config
from mavos_jax.conversion.convert import torch_shapes

ROOT = Path(__file__).parents[1]
run = Program(main, is_silent=True)
TINY = ROOT / "configs" / "tiny.py"


@pytest.fixture(scope="module")
def state():
    return seeded_state_dict(torch_shapes(load_config(TINY)))


@pytest.fixture
def source(tmp_path, state):
    tensors = {f"module.{name}": torch.from_numpy(array) for name, array in state.items()}
    torch.save({"state_dict": tensors, "epoch": 1}, tmp_path / "x.pth")
    return tmp_path / "x.pth"


def test_there_and_back(tmp_path, capsys, source, state):
    out = tmp_path / "out"
    run("--config", TINY, "--memory.gap", 7, "--input", source, "--output", out)
    printed = capsys.readouterr().out
    assert f"recognised: {source} as a full model\n" in printed
    assert f"\nused: {len(state)} tensors" in printed
    assert "starts fresh: nothing" in printed
    assert f"written: {out}" in printed
    assert load(out)[0].config.memory.gap == 7

    back = tmp_path / "back.pth"
    run("--to-torch", "--checkpoint", out, "--output", back)
    assert f"{len(state)} tensors under their PyTorch names" in capsys.readouterr().out
    tensors = torch.load(back, weights_only=True)["state_dict"]
    assert set(tensors) == set(state)
    assert all(np.array_equal(tensors[name].numpy(), array) for name, array in state.items())


def fail(tmp_path, capsys, *words):
    """Runs the script, which must fail in one line and leave the folder as it was."""
    before = sorted(tmp_path.rglob("*"))
    error = run.fail(capsys, *words)
    assert sorted(tmp_path.rglob("*")) == before
    return error


def test_bad_files(tmp_path, capsys, source):
    out = ("--output", tmp_path / "out")
    (tmp_path / "junk.pth").write_bytes(b"hello")
    message = fail(tmp_path, capsys, "--config", TINY, "--input", tmp_path / "junk.pth", *out)
    assert "junk.pth: expected a PyTorch file of tensors" in message
    message = fail(tmp_path, capsys, "--config", TINY, "--input", tmp_path / "absent", *out)
    assert "absent: expected a file of weights, found nothing" in message
    other = ROOT / "configs" / "swinb_mavos.py"
    message = fail(tmp_path, capsys, "--config", other, "--input", source, *out)
    assert "x.pth: expected weights for configuration 'swinb_mavos' (swin), found" in message
    assert "choose a configuration with the encoder resnet" in message


def test_wrong_combinations_of_options(tmp_path, capsys, source):
    out = ("--output", tmp_path / "out")
    for words in (
        (),
        ("--config", TINY),
        ("--input", source),
        ("--to-torch",),
        ("--to-torch", "--config", TINY, "--input", source),
    ):
        assert "expected" in fail(tmp_path, capsys, *words, *out)


def test_export_refuses_what_it_would_ignore(tmp_path, capsys, source):
    run("--config", TINY, "--input", source, "--output", tmp_path / "a")
    capsys.readouterr()
    words = ("--to-torch", "--checkpoint", tmp_path / "a", "--output", tmp_path / "x.pth")
    for option, found in (
        (("--config", TINY), "--config"),
        (("--seed", 3), "--seed"),
        (("--allow-missing",), "--allow-missing"),
        (("--memory.gap", 9), "overrides of the configuration"),
        (("--seed", 3, "--memory.gap", 9), "--seed and overrides of the configuration"),
    ):
        message = fail(tmp_path, capsys, *words, *option)
        assert message.endswith(f"the checkpoint as it is, found {found}; drop them\n")


def test_existing_outputs(tmp_path, capsys, source):
    words = ("--config", TINY, "--input", source, "--output", tmp_path / "out")
    run(*words)
    capsys.readouterr()
    assert "choose another, or overwrite it (--overwrite)" in fail(tmp_path, capsys, *words)
    run(*words, "--overwrite")


def test_missing_names(tmp_path, capsys, state):
    partial = dict(state)
    del partial["id_norm.bias"]
    np.savez(tmp_path / "x.npz", **partial)
    words = ("--config", TINY, "--input", tmp_path / "x.npz", "--output", tmp_path / "out")
    message = fail(tmp_path, capsys, *words)
    assert "1 missing: id_norm.bias" in message
    assert "--allow-missing" in message


def test_command(tmp_path):
    command = [sys.executable, "convert_torch_weights.py", "--to-torch"]
    words = ["--checkpoint", str(tmp_path / "absent"), "--output", str(tmp_path / "x.pth")]
    done = subprocess.run([*command, *words], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "absent: expected a checkpoint folder, found nothing" in done.stderr
