import functools

import jax
import numpy as np
import pytest
import torch
from refusals import refuse
from seeded_weights import seeded_state
from small_configs import BANK, MOBILENET, RESNET, SWIN

from mavos_jax.checkpoints.weights import load
from mavos_jax.conversion import convert_state_dict, to_state_dict, transfer
from mavos_jax.conversion.convert import conversion_rules
from mavos_jax.conversion.transfer import convert_file, export_file, read_variables
from mavos_jax.models.mavos import build_model, init_variables

FRESH = functools.cache(init_variables)


@pytest.fixture(autouse=True)
def _keep_fresh_weights(monkeypatch):
    """Initialises each network once: compiling the initialisation takes seconds."""
    monkeypatch.setattr(transfer, "init_variables", FRESH)


NORM = ["encoder.norm0.weight", "encoder.norm0.bias"]
CLASSIFIER = {
    "mobilenet_v2": ["classifier.1.weight", "classifier.1.bias"],
    "resnet": ["fc.weight", "fc.bias", "layer4.0.conv1.weight", "layer4.0.bn1.weight"],
    "swin": [
        *("head.weight", "head.bias", "norm.weight", "norm.bias"),
        *("layers.2.downsample.reduction.weight", "layers.3.blocks.0.attn.qkv.weight"),
        *("layers.3.blocks.0.attn.relative_position_index", "layers.0.blocks.1.attn_mask"),
    ],
}


def classifier(config):
    """The encoder's part of a PyTorch image classifier, with what only a classifier has."""
    state = {
        name.removeprefix("encoder."): array
        for name, array in seeded_state(config).items()
        if name.startswith("encoder.")
    }
    norms = [name.removesuffix("running_var") for name in state if name.endswith("running_var")]
    state |= {f"{name}num_batches_tracked": np.array(1) for name in norms}
    state |= {name: np.zeros(2, np.float32) for name in CLASSIFIER[config.encoder.kind]}
    return {name: x for name, x in state.items() if f"encoder.{name}" not in NORM}


def write(path, state):
    torch.save({name: torch.from_numpy(array) for name, array in state.items()}, path)
    return path


@pytest.mark.parametrize("suffix", [".pth", ".npz", ".safetensors"])
def test_full_model_there_and_back_in_every_format(tmp_path, suffix):
    state = seeded_state(SWIN)
    convert_file(SWIN, write(tmp_path / "source.pth", state), tmp_path / "first")
    export_file(tmp_path / "first", tmp_path / f"back{suffix}")
    report = convert_file(SWIN, tmp_path / f"back{suffix}", tmp_path / "second")
    assert (report.kind, report.fresh, report.dropped) == ("a full model", (), {})
    assert report.num_used == len(state)
    model, variables = load(tmp_path / "second")
    assert model.config == SWIN
    jax.tree.map(np.testing.assert_array_equal, variables, convert_state_dict(SWIN, state))


def test_weights_that_pytorch_averaged_are_a_full_model(tmp_path):
    state = {f"module.{name}": array for name, array in seeded_state(MOBILENET).items()}
    state["n_averaged"] = np.array(7)
    report = convert_file(MOBILENET, write(tmp_path / "x.pth", state), tmp_path / "x")
    assert (report.kind, report.fresh, report.dropped) == ("a full model", (), {"n_averaged": 1})


def test_model_without_mca_starts_with_fresh_mca(tmp_path):
    state = seeded_state(BANK)
    tensors = {name: torch.from_numpy(array) for name, array in state.items()}
    torch.save({"state_dict": tensors, "optimizer": {}, "epoch": 3}, tmp_path / "x.pth")
    report = convert_file(MOBILENET, tmp_path / "x.pth", tmp_path / "x")
    assert "dropped: entries beside the weights (optimizer, epoch)" in str(report)
    assert "DeAOT-L pre-training" in report.kind
    assert "starts fresh: 114 tensors: long_term_memory_attention.* (all 114)" in str(report)
    variables = load(tmp_path / "x")[1]
    assert report.num_parameters == sum(x.size for x in jax.tree.leaves(variables["params"]))
    assert f"parameters: {report.num_parameters:,}" in str(report)
    back = to_state_dict(MOBILENET, variables)
    for name, array in state.items():
        np.testing.assert_array_equal(back[name], array)
    assert {name.split(".")[0] for name in report.fresh} == {"long_term_memory_attention"}
    assert all(np.isfinite(back[name]).all() for name in report.fresh)


@pytest.mark.parametrize(
    ("config", "prefix", "dropped", "fresh_in_encoder"),
    [
        (MOBILENET, "", {"num_batches_tracked": 19, "classifier.*": 2}, []),
        (RESNET, "", {"num_batches_tracked": 16, "layer4.*": 2, "fc.*": 2}, []),
        (RESNET, "encoder.", {"num_batches_tracked": 16, "layer4.*": 2, "fc.*": 2}, []),
        (SWIN, "", {"attn_mask": 1, "last stage": 3, "norm.*": 2, "head.*": 2}, NORM),
    ],
)
def test_classifiers_give_their_encoder(tmp_path, config, prefix, dropped, fresh_in_encoder):
    state = classifier(config)
    prefixed = {f"{prefix}{name}": array for name, array in state.items()}
    report = convert_file(config, write(tmp_path / "x.pth", prefixed), tmp_path / "x")
    assert report.kind == "an encoder alone"
    assert report.dropped == dropped
    assert report.num_used == len(state) - sum(dropped.values())
    names = {rule.torch for rule in conversion_rules(config)}
    assert {n for n in report.fresh if n.startswith("encoder.")} == set(fresh_in_encoder)
    assert {n for n in names if not n.startswith("encoder.")} <= set(report.fresh)
    back = to_state_dict(config, load(tmp_path / "x")[1])
    for name, array in state.items():
        if f"encoder.{name}" in back:
            np.testing.assert_array_equal(back[f"encoder.{name}"], array)


def test_seed_decides_what_starts_fresh(tmp_path):
    source = write(tmp_path / "x.pth", classifier(RESNET))
    for seed in (0, 1):
        variables, _ = read_variables(RESNET, source, seed=seed)
        fresh = transfer.init_variables(build_model(RESNET), seed)
        decoders = (each["params"]["decoder"] for each in (variables, fresh))
        jax.tree.map(np.testing.assert_array_equal, *decoders)


def refuse_file(config, state, tmp_path, match, **options):
    source = write(tmp_path / "x.pth", state)
    refuse(match, convert_file, config, source, tmp_path / "out", **options)
    assert [path.name for path in tmp_path.iterdir()] == ["x.pth"], "nothing is written"


def test_allow_missing_initialises_and_drops(tmp_path):
    state = seeded_state(RESNET)
    expected = state["decoder.conv_in.conv.bias"]
    state["decoder.typo"] = state.pop("decoder.conv_out.bias")
    refuse_file(RESNET, state, tmp_path, "1 missing: decoder.conv_out.bias.*--allow_missing")
    wrong = state | {"id_norm.bias": np.zeros(3, np.float32)}
    refuse_file(RESNET, wrong, tmp_path, "1 mismatched: id_norm.bias", allow_missing=True)
    source = write(tmp_path / "x.pth", state)
    report = convert_file(RESNET, source, tmp_path / "x", allow_missing=True)
    assert report.fresh == ("decoder.conv_out.bias",)
    assert report.dropped == {"unexpected names": 1}
    decoder = load(tmp_path / "x")[1]["params"]["decoder"]
    np.testing.assert_array_equal(decoder["conv_in"]["bias"], expected)


def test_incomplete_classifier_is_refused(tmp_path):
    state = classifier(RESNET)
    del state["layer2.1.conv2.weight"]
    refuse_file(RESNET, state, tmp_path, r"1 missing: encoder\.layer2\.1\.conv2\.weight")


@pytest.mark.parametrize("content", [seeded_state, classifier])
def test_other_encoder_is_named(tmp_path, content):
    match = "those of resnet.*choose a configuration with the encoder resnet"
    refuse_file(MOBILENET, content(RESNET), tmp_path, match)


@pytest.mark.parametrize("allow_missing", [False, True])
def test_file_of_something_else_is_refused(tmp_path, allow_missing):
    state = {"conv.weight": np.zeros(3, np.float32)}
    match = "no weights of MAVOS, DeAOT-L or an encoder, but conv.weight"
    refuse_file(MOBILENET, state, tmp_path, match, allow_missing=allow_missing)


def test_existing_outputs_are_kept_unless_overwritten(tmp_path):
    source, output = write(tmp_path / "x.pth", seeded_state(BANK)), tmp_path / "x"
    convert_file(BANK, source, output)
    before = load(output)[1]
    write(source, {name: array + 1 for name, array in seeded_state(BANK).items()})
    refuse("expected a path where nothing is yet", convert_file, BANK, source, output)
    jax.tree.map(np.testing.assert_array_equal, load(output)[1], before)
    convert_file(BANK, source, output, overwrite=True)
    jax.tree.map(lambda x, y: np.testing.assert_array_equal(x, y + 1), load(output)[1], before)
    refuse("expected a path where no file is yet", export_file, output, source)
    export_file(output, source, overwrite=True)
    config = output / "config.json"
    text, match = config.read_text(), r"config\.json: expected a path outside the checkpoint"
    refuse(match, export_file, output, config, overwrite=True)
    assert config.read_text() == text
