"""The conversion table covers every tensor of every network, once."""

import json
from pathlib import Path

import pytest
import small_configs

from mavos_jax.checkpoints.mismatch import expected_shapes
from mavos_jax.commands.options import load_config
from mavos_jax.conversion.convert import torch_shapes
from mavos_jax.conversion.rules import computed_buffers, conversion_rules

GOLDENS = Path(__file__).parents[1] / "goldens"


@pytest.mark.parametrize(
    ("config", "golden"),
    [
        ("mavos", "mavos"),
        ("r50_mavos", "r50_mavos"),
        ("swinb_mavos", "swinb_mavos"),
        ("deaot_l", "deaotl"),
        ("aot_l", "aotl"),
    ],
)
def test_names_and_shapes_are_those_of_the_released_code(config, golden):
    released = json.loads((GOLDENS / f"state_dict_{golden}.json").read_text())
    experiment = load_config(f"configs/{config}.py")
    buffers = computed_buffers(experiment)
    for name, array in buffers.items():
        assert list(array.shape) == released.pop(name)
        assert array.dtype == "int64"
    shapes = {name: list(shape) for name, shape in torch_shapes(experiment).items()}
    assert shapes == released
    assert list(shapes) == list(released), "the order is PyTorch's"


@pytest.mark.parametrize("config", small_configs.ALL, ids=lambda config: config.name)
def test_every_variable_of_a_network_of_any_size_has_one_rule(config):
    rules = conversion_rules(config)
    paths = [rule.flax for rule in rules]
    assert sorted(paths) == sorted(expected_shapes(config))
    assert len({rule.torch for rule in rules}) == len(rules)


def test_position_index_of_a_window():
    buffers = computed_buffers(small_configs.SWIN)
    assert len(buffers) == 6
    index = buffers["encoder.layers.2.blocks.1.attn.relative_position_index"]
    # Window 3: differences -2..2 in both directions, row-major in a table of 25.
    assert index[0].tolist() == [12, 11, 10, 7, 6, 5, 2, 1, 0]
    assert (index + index.T == 24).all()
