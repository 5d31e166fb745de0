"""The configuration: what it refuses, its JSON form, and every file in ``configs/``."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mavos_jax.commands.options import load_config
from mavos_jax.config import (
    ClipConfig,
    DataConfig,
    DecoderConfig,
    ELSTTConfig,
    Experiment,
    InferenceConfig,
    LSTTConfig,
    MemoryConfig,
    MobileNetV2Config,
    ResNetConfig,
    SwinConfig,
    from_dict,
    to_dict,
)

CONFIGS = Path(__file__).parents[1] / "configs"
FILES = sorted(CONFIGS.glob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_file_holds_an_experiment_and_says_how_to_run_it(path):
    config = load_config(path)
    assert config.name == path.stem
    assert from_dict(json.loads(json.dumps(to_dict(config)))) == config
    header = path.read_text().split('"""')[1]
    assert {f"configs/{path.name}", "Command:", "Expected:"} <= set(re.split(r"[ \n]+", header))


def test_json_form_without_a_field_takes_the_default():
    values = to_dict(Experiment(name="old", memory=MemoryConfig(policy="bank", gap=3)))
    del values["inference"], values["memory"]["gap"]
    config = from_dict(values)
    assert config.memory == MemoryConfig(policy="bank")
    assert config.inference == InferenceConfig()


def test_json_form_from_before_the_transformers_had_kinds():
    config = Experiment(name="old", elstt=ELSTTConfig(num_blocks=2))
    values = to_dict(config)
    del values["elstt"]["kind"]
    assert from_dict(values) == config


def check_refusal(error, *parts):
    """Checks that an error is one line that starts with the field and holds the other parts."""
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith(parts[0])
    assert [part for part in parts if part not in message] == []


@pytest.mark.parametrize(
    ("values", "parts"),
    [
        ({"memry": {}}, ("config:", "'memory'", "memry")),
        ({"memory": {"gapp": 1}}, ("memory:", "gapp")),
        ({"memory": {"gap": "5"}}, ("memory.gap:", "int", "'5'")),
        ({"memory": {"gap": True}}, ("memory.gap:", "int", "True")),
        ({"memory": {"gap": 2.0}}, ("memory.gap:", "int", "2.0")),
        ({"memory": {"gap": 0}}, ("memory.gap:", "at least 1", "0")),
        ({"memory": {"policy": "all"}}, ("memory.policy:", "'mca'", "'all'")),
        ({"memory": 3}, ("memory:", "3")),
        ({"align_corners": 1}, ("align_corners:", "bool", "1")),
        ({"elstt": {"kind": "gru"}}, ("elstt.kind:", "'lstt'", "gru")),
        ({"elstt": {"num_heads": 8}}, ("elstt:", "num_heads")),
        ({"encoder": {"kind": "vit"}}, ("encoder.kind:", "resnet", "vit")),
        ({"encoder": {"width": 64}}, ("encoder.kind:", "resnet")),
        ({"encoder": {"kind": "resnet", "depths": [1, 2]}}, ("encoder.depths:", "3", "[1, 2]")),
        ({"encoder": {"kind": "resnet", "depths": 3}}, ("encoder.depths:", "list", "3")),
    ],
)
def test_json_form_refuses(values, parts):
    with pytest.raises(ValueError, match=":") as error:
        from_dict({"name": "a", **values})
    check_refusal(error, *parts)


@pytest.mark.parametrize(
    ("build", "parts"),
    [
        (lambda: Experiment(name=""), ["name:"]),
        (lambda: MobileNetV2Config(stem=0), ["encoder.stem:", "0"]),
        (lambda: MobileNetV2Config(stages=((1, 16, 1, 1),)), ["encoder.stages:"]),
        (lambda: MobileNetV2Config(stages=((1, 16, 1, 3),)), ["encoder.stages:", "1 or 2"]),
        (lambda: MobileNetV2Config(stages=((1, 16, 10**18, 1),)), ["encoder.stages:", "200"]),
        (lambda: ResNetConfig(depths=(3, 0, 6)), ["encoder.depths:"]),
        (lambda: ResNetConfig(depths=(3, 10**18, 6)), ["encoder.depths:", "200"]),
        (lambda: ResNetConfig(width=12, norm="group"), ["encoder.width:", "12"]),
        (lambda: SwinConfig(heads=(3, 8, 16)), ["encoder.heads:", "128"]),
        (lambda: SwinConfig(window=0), ["encoder.window:", "0"]),
        (lambda: ELSTTConfig(num_blocks=10**9), ["elstt.num_blocks:", "200"]),
        (lambda: ELSTTConfig(window_radius=0), ["elstt.window_radius:", "0"]),
        (lambda: LSTTConfig(dim=258, num_heads=2), ["elstt.dim:", "4", "258"]),
        (lambda: LSTTConfig(num_heads=7), ["elstt.num_heads:", "elstt.dim", "7"]),
        (lambda: LSTTConfig(hidden_dim=100), ["elstt.hidden_dim:", "32", "100"]),
        (lambda: MemoryConfig(capacity=1), ["memory.capacity:", "2", "1"]),
        (lambda: MemoryConfig(focal_levels=4), ["memory.focal_levels:", "1, 2 or 3", "4"]),
        (lambda: DecoderConfig(dim=24), ["decoder.dim:", "16", "24"]),
        (lambda: InferenceConfig(max_long_edge=8), ["inference.max_long_edge:", "8"]),
        (lambda: InferenceConfig(chunk_frames=0), ["inference.chunk_frames:", "0"]),
        (lambda: InferenceConfig(min_short_edge=-1), ["inference.min_short_edge:", "-1"]),
        (
            lambda: InferenceConfig(max_long_edge=480, min_short_edge=481),
            ["inference.min_short_edge:", "inference.max_long_edge", "481"],
        ),
        (lambda: DataConfig(max_objects=0), ["data.max_objects:", "10", "0"]),
        (lambda: DataConfig(max_objects=11), ["data.max_objects:", "10", "11"]),
        (lambda: ClipConfig(absence=1.0), ["training.clip.absence:", "1.0"]),
        (
            lambda: ClipConfig(absence=0.1, absence_weight=0.0),
            ["training.clip.absence_weight:", "0.0"],
        ),
        (lambda: ClipConfig(absence_weight=2.0), ["training.clip.absence_weight:", "2.0"]),
        (lambda: ClipConfig(background_margin=-0.1), ["training.clip.background_margin:", "-0.1"]),
        (lambda: Experiment(name="a", elstt=LSTTConfig()), ["memory.policy:", "mca"]),
        (
            lambda: Experiment(name="a", elstt=ELSTTConfig(value_dim=510)),
            ["elstt.value_dim:", "memory.num_heads", "510"],
        ),
    ],
)
def test_construction_refuses(build, parts):
    with pytest.raises(ValueError, match=":") as error:
        build()
    check_refusal(error, *parts)


def test_heads_are_free_where_the_memory_has_no_attention():
    memory = MemoryConfig(policy="bank", num_heads=3)
    assert Experiment(name="a", memory=memory).memory == memory
    memory = MemoryConfig(write="focal_modulation", num_heads=3)
    assert Experiment(name="a", memory=memory).memory == memory


# A user's own files


@pytest.fixture
def user_file(tmp_path):
    """Writes a user's own configuration file."""

    def write(text):
        path = tmp_path / "mine.py"
        path.write_text(text)
        return path

    return write


def test_users_own_file_works_alike(user_file):
    path = user_file(
        "import dataclasses\n"
        "from mavos_jax.config import Experiment, MemoryConfig\n"
        "base = Experiment(name='base', memory=MemoryConfig(gap=3))\n"
        "config = dataclasses.replace(base, name='mine')\n"
    )
    config = load_config(path, ("--memory.capacity", "5"))
    assert (config.name, config.memory) == ("mine", MemoryConfig(gap=3, capacity=5))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n", "Experiment .*`config`"),
        ("config = {'memory': 3}\n", "`config` .*Experiment.*dict"),
        ("x = 1\n\nconfig = 1 / 0\n", r"mine\.py, line 3: ZeroDivisionError: division by zero"),
        ("config = = 1\n", r"mine\.py, line 1: SyntaxError"),
        ("import mavos_jacks\n", r"mine\.py, line 1: ModuleNotFoundError: .*mavos_jacks"),
        (
            "from mavos_jax.config import MemoryConfig\n\nMemoryConfig(gap=0)\n",
            r"mine\.py, line 3: ValueError: memory\.gap: .*at least 1.*0",
        ),
    ],
)
def test_bad_file_is_named_with_its_line(user_file, text, message):
    with pytest.raises(ValueError, match=message) as error:
        load_config(user_file(text))
    assert "mine.py" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["r50_mavo.py", "r50-mavos.py", "r50_mavos"])
def test_missing_file_suggests_a_close_name(name):
    with pytest.raises(ValueError, match=r"did you mean \S*configs/r50_mavos\.py\?"):
        load_config(CONFIGS / name)


def test_bare_name_suggests_the_file_in_configs(monkeypatch):
    monkeypatch.chdir(CONFIGS.parent)
    with pytest.raises(ValueError, match=r"did you mean configs/tiny\.py\?"):
        load_config("tiny")


# Without the hook that checks annotations in tests, as users construct configurations.
CONSTRUCT = """
from mavos_jax.config import *
for text in {texts!r}:
    try:
        eval(text)
    except ValueError as error:
        print(error)
    else:
        print("accepted", text)
"""


def test_types_are_checked_on_construction():
    texts = {
        "MemoryConfig(policy='mcaa')": ("memory.policy:", "'bank'"),
        "MemoryConfig(gap=2.5)": ("memory.gap:", "int", "2.5"),
        "MemoryConfig(gap='5')": ("memory.gap:", "int", "'5'"),
        "Experiment('x', align_corners='no')": ("align_corners:", "bool", "'no'"),
        "Experiment('x', memory={'gap': 3})": ("memory:", "MemoryConfig", "{'gap': 3}"),
        "Experiment('x', encoder=MemoryConfig())": ("encoder:", "MobileNetV2Config"),
    }
    script = CONSTRUCT.format(texts=list(texts))
    command = [sys.executable, "-c", script]
    result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=CONFIGS.parent)
    for line, (field, *parts) in zip(result.stdout.splitlines(), texts.values(), strict=True):
        assert line.startswith(field)
        assert [part for part in parts if part not in line] == []
