import numpy as np
import pytest
from programs import Program
from training.stand_in import CONFIG, changed, stand_in_step

import train
from mavos_jax.conversion.convert import to_state_dict
from mavos_jax.conversion.weight_files import write_weight_file
from mavos_jax.models.mavos import build_model, init_variables
from mavos_jax.training import loop

run = Program(train.main)


@pytest.fixture
def config(tmp_path, monkeypatch):
    """The path of a configuration of seconds, with the stand-in for the step."""
    monkeypatch.setattr(loop, "build_step", stand_in_step())
    monkeypatch.setattr("mavos_jax.runtime.compilation.keep_compilations", lambda: None)
    file = tmp_path / "config.py"
    file.write_text(f"from mavos_jax.config import *\nconfig = {changed(steps=2)!r}\n")
    return file


def test_the_same_command_goes_on(tmp_path, capsys, config):
    words = ("--config", config, "--workdir", tmp_path / "run")
    run(*words)
    assert "complete: 2 steps in" in capsys.readouterr().out
    run(*words)
    assert "complete: 2 of 2 steps are done" in capsys.readouterr().out
    assert "training.seed: 0 there, 1 asked for" in run.fail(capsys, *words, "--training.seed", 1)


def test_wrong_input_is_refused(tmp_path, capsys, config):
    workdir = ("--workdir", tmp_path / "run")
    assert "expected --config FILE" in run.fail(capsys, *workdir)
    assert "--workdir" in run.fail(capsys, "--config", config)
    words = ("--config", config, *workdir)
    assert "together" in run.fail(capsys, *words, "--coordinator", "here:1")
    assert "training.start" in run.fail(capsys, *words, "--training.stert", "x")
    assert "found nothing" in run.fail(capsys, *words, "--training.start", tmp_path / "none")
    assert not (tmp_path / "run" / "checkpoints").exists()


@pytest.mark.parametrize(
    ("prefix", "fresh"), [("", "nothing"), ("encoder.", "tensors: "), ("LSTT.", None)]
)
def test_torch_weights_are_a_start(tmp_path, capsys, config, prefix, fresh):
    variables = init_variables(build_model(CONFIG), 9)
    state = to_state_dict(CONFIG, variables)
    file = tmp_path / "weights.npz"
    write_weight_file(file, {n: x for n, x in state.items() if n.startswith(prefix)})
    words = ("--config", config, "--workdir", tmp_path / "run", "--training.start", file)
    if fresh is None:
        assert "check that this is the file you meant" in run.fail(capsys, *words)
        return
    read, report = train.convert(changed(start=str(file)), file)
    assert fresh in report
    assert "written" not in report
    kernels = (x["params"]["encoder_projector"]["kernel"] for x in (read, variables))
    assert np.array_equal(*kernels) == (not prefix)
    run(*words)
    assert "recognised: " in capsys.readouterr().out
