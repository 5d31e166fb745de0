"""``convert_torch_weights.py`` as a command: what it prints, its exit codes, nothing half-done."""

import numpy as np
import pytest
import torch
from programs import ROOT, Program, run_python
from seeded_weights import seeded_state_dict

from convert_torch_weights import main
from mavos_jax.checkpoints.weights import load
from mavos_jax.commands.parser import load_config
from mavos_jax.conversion.convert import torch_shapes

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
    out = tmp_path / "out.safetensors"
    run("--config", TINY, "--memory.gap", 7, "--input", source, "--output", out)
    printed = capsys.readouterr().out
    facts = (f"{source} as a full model", f"{len(state)} tensors", "fresh: nothing", f"{out}")
    assert all(fact in printed for fact in facts)
    assert load(out)[0].config.memory.gap == 7

    back = tmp_path / "back.pth"
    run("--to_torch", "--checkpoint", out, "--output", back)
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


def test_wrong_combinations_of_options(tmp_path, capsys, source):
    config, file = ("--config", TINY), ("--input", source)
    for words in ((), config, file, ("--to_torch",), ("--to_torch", *config, *file)):
        assert "expected" in fail(tmp_path, capsys, *words, "--output", tmp_path / "out")


def test_existing_outputs_and_exports_that_would_ignore_options(tmp_path, capsys, source):
    words = ("--config", TINY, "--input", source, "--output", tmp_path / "a")
    run(*words)
    capsys.readouterr()
    assert "--overwrite" in fail(tmp_path, capsys, *words)
    run(*words, "--overwrite")
    capsys.readouterr()
    words = ("--to_torch", "--checkpoint", tmp_path / "a", "--output", tmp_path / "x.pth")
    for option, found in (
        (("--config", TINY), "--config"),
        (("--seed", 3), "--seed"),
        (("--allow_missing",), "--allow_missing"),
        (("--memory.gap", 9), "overrides of the configuration"),
        (("--seed", 3, "--memory.gap", 9), "--seed and overrides of the configuration"),
    ):
        assert f"found {found};" in fail(tmp_path, capsys, *words, *option)


def test_command(tmp_path):
    words = ("--to_torch", "--checkpoint", tmp_path / "absent", "--output", tmp_path / "x.pth")
    output, errors = run_python("convert_torch_weights.py", *words, code=2)
    assert (output, errors.count("\n")) == ("", 1)
    assert "absent: expected a checkpoint, found nothing" in errors
