import json
from pathlib import Path

import jax
import numpy as np
import pytest
import small_configs
from seeded_weights import seeded_state_dict
from small_configs import vary

from mavos_jax.checkpoints.mismatch import Problems, WeightsMismatch, abbreviate
from mavos_jax.commands.parser import load_config
from mavos_jax.conversion import convert_state_dict, to_state_dict
from mavos_jax.conversion.convert import computed_buffers, torch_shapes
from mavos_jax.models.mavos import variable_shapes

GOLDENS = Path(__file__).parents[1] / "goldens"


def seeded(config):
    return seeded_state_dict(torch_shapes(config))


def same_bits(a, b):
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()


@pytest.mark.parametrize("name", ["mavos", "r50_mavos", "swinb_mavos", "deaot_l", "aot_l"])
def test_released_weights_are_named_and_come_back_bit_for_bit(name):
    shapes = json.loads((GOLDENS / f"state_dict_{name.replace('_l', 'l')}.json").read_text())
    experiment = load_config(f"configs/{name}.py")
    state = seeded_state_dict(shapes)
    buffers = computed_buffers(experiment)
    assert {name: list(array.shape) for name, array in buffers.items()} == {
        name: shape for name, shape in shapes.items() if name not in state
    }
    assert all(array.dtype == "int64" for array in buffers.values())
    found = {name: list(shape) for name, shape in torch_shapes(experiment).items()}
    expected = {name: shapes[name] for name in state}
    assert list(found.items()) == list(expected.items()), "in PyTorch's order"
    back = to_state_dict(experiment, convert_state_dict(experiment, state))
    assert set(back) == set(shapes)
    assert all(same_bits(back[name], array) for name, array in state.items())


NETWORKS = [
    *small_configs.ALL,
    vary(small_configs.RESNET, name="group", encoder={"width": 8, "norm": "group"}),
    vary(small_configs.MOBILENET, name="attention", memory={"write": "cross_attention"}),
    vary(small_configs.MOBILENET, name="focal", memory={"write": "focal_modulation"}),
]


@pytest.mark.parametrize("config", NETWORKS, ids=lambda config: config.name)
def test_round_trip_of_any_network(config):
    state, expected = seeded(config), variable_shapes(config)
    variables = convert_state_dict(config, state)
    assert jax.tree.map(lambda x: (x.shape, x.dtype), variables) == jax.tree.map(
        lambda x: (x.shape, x.dtype), expected
    )
    assert all(isinstance(x, np.ndarray) for x in jax.tree.leaves(variables))
    back = to_state_dict(config, variables)
    assert set(back) == set(state) | set(computed_buffers(config))
    assert all(same_bits(back[name], array) for name, array in state.items())
    assert all(array.flags.c_contiguous for array in back.values())


def test_position_index_of_a_window():
    buffers = computed_buffers(small_configs.SWIN)
    assert len(buffers) == 6
    index = buffers["encoder.layers.2.blocks.1.attn.relative_position_index"]
    # Window 3: differences -2..2 in both directions, row-major in a table of 25.
    assert index[0].tolist() == [12, 11, 10, 7, 6, 5, 2, 1, 0]
    assert (index + index.T == 24).all()


def test_result_shares_no_memory_with_its_source():
    state = seeded(small_configs.RESNET)
    variables = convert_state_dict(small_configs.RESNET, state)
    back = to_state_dict(small_configs.RESNET, variables)
    before = variables["params"]["elstt"]["norm"]["scale"].copy()
    for array in (*state.values(), *back.values()):
        array.fill(7)
    np.testing.assert_array_equal(variables["params"]["elstt"]["norm"]["scale"], before)


def test_other_floating_point_types_become_float32():
    state = {name: array.astype(np.float16) for name, array in seeded(small_configs.BANK).items()}
    variables = convert_state_dict(small_configs.BANK, state)
    assert {leaf.dtype.name for leaf in jax.tree.leaves(variables)} == {"float32"}


def test_every_problem_of_a_state_dictionary_is_reported_at_once():
    config = small_configs.SWIN
    buffers = computed_buffers(config)
    index = "encoder.layers.0.blocks.0.attn.relative_position_index"
    other = "encoder.layers.1.blocks.1.attn.relative_position_index"
    state = seeded(config) | {index: buffers[index].T, other: buffers[other]}
    state["decoder.conv_out.weigth"] = state.pop("decoder.conv_out.weight")
    del state["id_norm.bias"]
    state["LSTT.layers.1.linear_U.weight"] = state["LSTT.layers.1.linear_U.weight"].T
    state["encoder.norm0.bias"] = np.zeros(8, np.int64)
    state["LSTT.layers.0.norm1.bias"][1] = np.inf
    state["epoch"] = np.array(3)
    with pytest.raises(WeightsMismatch) as caught:
        convert_state_dict(config, state)
    problems = caught.value.problems
    assert problems.missing == ("decoder.conv_out.weight", "id_norm.bias")
    assert set(problems.unexpected) == {"decoder.conv_out.weigth", "epoch"}
    mismatched = {index, "LSTT.layers.1.linear_U.weight", "encoder.norm0.bias"}
    assert set(problems.mismatched) == mismatched | {"LSTT.layers.0.norm1.bias"}
    assert "expected finite numbers" in problems.mismatched["LSTT.layers.0.norm1.bias"]
    for name in (*problems.missing, *problems.unexpected, *problems.mismatched):
        assert name in str(caught.value)
    assert "expected shape (12, 16), found (16, 12)" in str(caught.value)
    assert "expected the index" in problems.mismatched[index]


def test_every_problem_of_variables_is_reported_at_once():
    config = small_configs.MOBILENET
    variables = convert_state_dict(config, seeded(config))
    del variables["constants"]["encoder"]["stem_norm"]["mean"]
    variables["params"]["elstt"]["norm"]["scale"] = np.zeros(3, np.float32)
    variables["params"]["extra"] = np.zeros(3, np.float32)
    with pytest.raises(WeightsMismatch) as caught:
        to_state_dict(config, variables)
    assert caught.value.problems == Problems(
        missing=("constants/encoder/stem_norm/mean",),
        unexpected=("params/extra",),
        mismatched={"params/elstt/norm/scale": "expected shape (32,), found (3,)"},
    )


def test_long_lists_become_patterns_where_all_is_affected():
    names = [f"decoder.conv_{i}.bias" for i in range(14)]
    assert abbreviate(names[:12], names[:12]) == ", ".join(names[:12])
    assert abbreviate(names[:13], names) == ", ".join(names[:13])
    wrong = Problems(mismatched=dict.fromkeys(names[:13], "expected shape (1,), found (2,)"))
    assert wrong.summary(names, names) == str(wrong)
    names += ["encoder_projector.bias", "encoder.layer1.0.a", "encoder.layer1.0.b"]
    known = [*names, "encoder.layer1.1.a", "encoder.layer1.1.b"]
    text = abbreviate(names, known)
    assert text == "decoder.* (all 14), encoder_projector.bias, encoder.layer1.0.* (all 2)"
