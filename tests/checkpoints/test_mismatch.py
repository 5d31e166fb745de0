import dataclasses
from pathlib import Path

import pytest
from refusals import refuse

from mavos_jax.checkpoints.folder import save
from mavos_jax.commands.parser import load_config, parse_command
from mavos_jax.models.mavos import build_model, init_variables

CONFIGS = Path(__file__).parents[2] / "configs"


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Reads a checkpoint."""

    config: Path | None = None
    checkpoint: Path | None = None


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights") / "tiny"
    config = load_config(CONFIGS / "tiny.py")
    save(folder, config, init_variables(build_model(config)))
    return ["--checkpoint", str(folder)]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--decoder.dim", "32", "--memory.gap", "3"],
            "decoder.dim: 64 in the checkpoint, 32 asked for; drop --decoder.dim",
        ),
        (
            ["--elstt.dim", "128", "--memory.policy", "bank", "--name", "x"],
            "elstt.dim: 96 in the checkpoint, 128 asked for, memory.policy: 'mca' in the "
            "checkpoint, 'bank' asked for; drop --elstt.dim, --memory.policy",
        ),
    ],
)
def test_overrides_that_reshape_a_checkpoint_are_named(checkpoint, words, message):
    found = refuse(r"^\S+/tiny: expected", parse_command, Arguments, [*checkpoint, *words])
    assert found.endswith(f"found {message}")


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("mavos", r"encoder\.kind: 'resnet' in the checkpoint, 'mobilenet_v2' asked for, .*"),
        ("aot_l", r"encoder\.kind: .*, elstt\.kind: 'elstt' in the checkpoint, 'lstt' asked .*"),
        ("r50_mavos", r"encoder\.width: 16 in the checkpoint, 64 asked for, encoder\.depths: .*"),
    ],
)
def test_file_of_another_network_than_the_checkpoint_is_named(checkpoint, file, changes):
    match = rf"^\S+/tiny holds 'tiny', .* '{file}' \({changes}\); drop --config or choose"
    words = [*checkpoint, "--config", str(CONFIGS / f"{file}.py")]
    message = refuse(match, parse_command, Arguments, words)
    assert len(message) < 500
    assert "memory.gap" not in message
