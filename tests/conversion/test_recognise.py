from pathlib import Path

import numpy as np
import pytest
from refusals import refuse
from small_configs import MOBILENET, SWIN

from mavos_jax.commands.parser import load_config
from mavos_jax.conversion.convert import conversion_rules, torch_shapes
from mavos_jax.conversion.encoders import encoder_kind
from mavos_jax.conversion.transfer import _KNOWN_CONFIGS, convert_file
from mavos_jax.conversion.weight_files import write_weight_file


def refuse_file(match, config, state, folder):
    write_weight_file(folder / "x.npz", state)
    refuse(match, convert_file, config, folder / "x.npz", folder / "out")


@pytest.mark.parametrize("name", ["r50_mavos", "aot_l"])
def test_released_network_that_would_fit_is_named(tmp_path, name):
    shapes = torch_shapes(load_config(f"configs/{name}.py"))
    state = {name: np.broadcast_to(np.float32(0), shape) for name, shape in shapes.items()}
    fix = rf"they fit --config configs/{name}\.py$"
    refuse_file(fix, load_config("configs/mavos.py"), state, tmp_path)


def test_known_configurations_are_the_files():
    for file, known in _KNOWN_CONFIGS.items():
        assert Path(file).stem == known.name
        assert conversion_rules(load_config(file)) == conversion_rules(known)


@pytest.mark.parametrize("config", [MOBILENET, SWIN], ids=lambda config: config.name)
@pytest.mark.parametrize("prefix", ["", "encoder."])
def test_swin_of_torchvision_is_named(tmp_path, config, prefix):
    names = ["features.0.0.weight", "features.1.0.attn.qkv.weight", "norm.weight"]
    state = {f"{prefix}{name}": np.zeros(3) for name in names}
    refuse_file(r"a Swin of torchvision, .*; choose .* original Swin", config, state, tmp_path)


@pytest.mark.parametrize("file", ["mavos", "r50_mavos", "swinb_mavos"])
def test_encoder_is_known_by_its_names(file):
    config = load_config(f"configs/{file}.py")
    names = [rule.torch for rule in conversion_rules(config)]
    assert encoder_kind(names) == config.encoder.kind
    assert encoder_kind([name.removeprefix("encoder.") for name in names]) == config.encoder.kind
    assert encoder_kind(["features.0.0.weight", "features.1.weight"]) is None
