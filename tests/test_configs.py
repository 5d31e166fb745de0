"""The configuration: what it refuses, its JSON form, and every file in ``configs/``."""

import ast
import json
import re

import pytest
from programs import ROOT, run_python
from refusals import refuse

from mavos_jax.commands.parser import load_config
from mavos_jax.config import Experiment, MemoryConfig, from_dict, to_dict

CONFIGS = ROOT / "configs"


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.py")), ids=lambda path: path.stem)
def test_every_file_holds_an_experiment_and_says_how_to_run_it(path):
    config = load_config(path)
    assert config.name == path.stem
    assert from_dict(json.loads(json.dumps(to_dict(config)))) == config
    header = path.read_text().split('"""')[1]
    assert {f"configs/{path.name}", "Command:", "Expected:"} <= set(re.split(r"[ \n]+", header))


def test_json_form_without_a_field_takes_the_default():
    values = to_dict(Experiment(name="old", memory=MemoryConfig(policy="bank", gap=3)))
    del values["inference"], values["memory"]["gap"], values["elstt"]["kind"]
    config, default = from_dict(values), Experiment(name="old")
    assert config.memory == MemoryConfig(policy="bank")
    assert (config.inference, config.elstt) == (default.inference, default.elstt)


WRONG = {
    "read(memry={})": ["config:", "'memory'", "memry"],
    "read(memory={'gapp': 1})": ["memory:", "gapp"],
    "read(memory={'gap': True})": ["memory.gap:", "int", "True"],
    "read(memory=3)": ["memory:", "3"],
    "read(elstt={'kind': 'gru'})": ["elstt.kind:", "'lstt'", "gru"],
    "read(elstt={'num_heads': 8})": ["elstt:", "num_heads"],
    "read(encoder={'kind': 'vit'})": ["encoder.kind:", "resnet", "vit"],
    "read(encoder={'width': 64})": ["encoder.kind:", "resnet"],
    "read(encoder={'kind': 'resnet', 'depths': [1, 2]})": ["encoder.depths:", "3", "[1, 2]"],
    "read(encoder={'kind': 'resnet', 'depths': 3})": ["encoder.depths:", "list", "3"],
    "Experiment('')": ["name:"],
    "Experiment('x', align_corners='no')": ["align_corners:", "bool", "'no'"],
    "Experiment('x', memory={'gap': 3})": ["memory:", "MemoryConfig", "{'gap': 3}"],
    "Experiment('x', encoder=MemoryConfig())": ["encoder:", "MobileNetV2Config"],
    "Experiment('x', elstt=LSTTConfig())": ["memory.policy:", "mca"],
    "Experiment('x', elstt=ELSTTConfig(value_dim=510))": ["elstt.value_dim:", "memory.num_heads"],
    "MobileNetV2Config(stem=0)": ["encoder.stem:", "0"],
    "MobileNetV2Config(stages=((1, 16, 1, 1),))": ["encoder.stages:"],
    "MobileNetV2Config(stages=((1, 16, 1, 3),))": ["encoder.stages:", "1 or 2"],
    "ResNetConfig(depths=(3, 0, 6))": ["encoder.depths:"],
    "ResNetConfig(width=12, norm='group')": ["encoder.width:", "12"],
    "SwinConfig(heads=(3, 8, 16))": ["encoder.heads:", "128"],
    "ELSTTConfig(num_blocks=10**9)": ["elstt.num_blocks:", "200"],
    "LSTTConfig(dim=258, num_heads=2)": ["elstt.dim:", "4", "258"],
    "LSTTConfig(num_heads=7)": ["elstt.num_heads:", "elstt.dim", "7"],
    "LSTTConfig(hidden_dim=100)": ["elstt.hidden_dim:", "32", "100"],
    "MemoryConfig(policy='mcaa')": ["memory.policy:", "'bank'"],
    "MemoryConfig(gap=0)": ["memory.gap:", "at least 1", "0"],
    "MemoryConfig(gap=2.5)": ["memory.gap:", "int", "2.5"],
    "MemoryConfig(capacity=1)": ["memory.capacity:", "2", "1"],
    "MemoryConfig(focal_levels=4)": ["memory.focal_levels:", "1, 2 or 3", "4"],
    "DecoderConfig(dim=24)": ["decoder.dim:", "16", "24"],
    "InferenceConfig(max_long_edge=8)": ["inference.max_long_edge:", "8"],
    "InferenceConfig(max_long_edge=48, min_short_edge=49)": ["inference.min_short_edge:", "49"],
    "DataConfig(max_objects=11)": ["data.max_objects:", "10", "11"],
    "ClipConfig(absence=1.0)": ["training.clip.absence:", "1.0"],
    "ClipConfig(absence_weight=2.0)": ["training.clip.absence_weight:", "2.0"],
    "ClipConfig(background_margin=-0.1)": ["training.clip.background_margin:", "-0.1"],
}
CONSTRUCT = f"""
from mavos_jax.config import *
read = lambda **values: from_dict({{"name": "a", **values}})
for text in {list(WRONG)!r}:
    try:
        eval(text)
    except ValueError as error:
        print(repr(str(error)))
    else:
        print("accepted", text)
"""


def test_construction_and_json_form_refuse():
    """Without the hook that checks annotations in tests, as users construct configurations."""
    lines = run_python("-c", CONSTRUCT)[0].splitlines()
    for line, (start, *parts) in zip(lines, WRONG.values(), strict=True):
        message = ast.literal_eval(line)
        assert "\n" not in message
        assert message.startswith(start)
        assert [part for part in parts if part not in message] == []


@pytest.mark.parametrize("changes", [{"policy": "bank"}, {"write": "focal_modulation"}])
def test_heads_are_free_where_the_memory_has_no_attention(changes):
    memory = MemoryConfig(**changes, num_heads=3)
    assert Experiment(name="a", memory=memory).memory == memory


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n", "Experiment .*`config`"),
        ("config = {'memory': 3}\n", "Experiment `config`.*dict"),
        ("config = = 1\n", r"mine\.py, line 1: SyntaxError"),
        ("import sys\nsys.exit(3)", r"mine\.py, line 2: SystemExit: 3"),
        ("def f():\n    return 1 / 0\nf()", r"mine\.py, line 2: ZeroDivisionError"),
        (
            "from mavos_jax.config import MemoryConfig\n\nMemoryConfig(gap=0)\n",
            r"mine\.py, line 3: ValueError: memory\.gap: .*at least 1.*0",
        ),
    ],
)
def test_a_bad_file_is_named_with_its_line(tmp_path, text, message):
    (tmp_path / "mine.py").write_text(text)
    assert "mine.py" in refuse(message, load_config, tmp_path / "mine.py")


@pytest.mark.parametrize("given", ["r50_mavo.py", "r50-mavos.py", "r50_mavos", "tiny"])
def test_a_missing_file_suggests_a_close_name(monkeypatch, given):
    monkeypatch.chdir(CONFIGS.parent)
    given, meant = (given, given) if given == "tiny" else (CONFIGS / given, "r50_mavos")
    refuse(rf"did you mean \S*configs/{meant}\.py\?", load_config, given)
