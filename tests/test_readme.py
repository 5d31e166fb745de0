"""The README and the documents say what is so: commands, paths, options and example."""

import functools
import importlib.util
import re
import shlex
import tomllib

import numpy as np
import pytest
from benchmark_trees import write_videos
from packaging.requirements import Requirement
from PIL import Image
from programs import ROOT, run_python

import mavos_jax
from mavos_jax.checkpoints.weights import save
from mavos_jax.commands.parser import load_config
from mavos_jax.config import to_dict
from mavos_jax.models.mavos import build_model, init_variables
from mavos_jax.runtime.trees import fields_by_path

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
README = (ROOT / "README.md").read_text()
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "configs/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
NEEDED = {
    "evaluate.py": set(),
    "convert_torch_weights.py": set(),
    "train.py": {"--config", "--workdir"},
}


def block(name):
    """Returns the fenced block after the marker ``<!-- name -->``."""
    blocks = re.findall(rf"^<!-- {name} -->\n```\w+\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 1, f"expected one block marked {name!r}, found {len(blocks)}"
    return blocks[0]


def options_in(text):
    """Returns the options that a text names; dashes and underscores inside a name are the same."""
    found = re.findall(r"(?<![\w-])--[a-z][\w.-]*\w", text)
    return {f"--{option[2:].replace('-', '_')}" for option in found}


@functools.cache
def options_of(script):
    """Returns the options that a script's help lists, and the fields of a configuration."""
    printed, _ = run_python(script, "--config", "configs/finetune.py", "--help")
    fields = fields_by_path(to_dict(load_config(ROOT / "configs" / "finetune.py")))
    return options_in(printed) | {f"--{field}" for field in fields}


def commands_of(script):
    """Returns the words of the script's commands in all documents, each with the document."""
    for path in DOCUMENTS:
        blocks = re.findall(r"^```bash\n(.*?)^```$", path.read_text(), re.DOTALL | re.MULTILINE)
        shell = "\n".join(blocks).replace("\\\n", " ")
        for command in re.findall(rf'python {re.escape(script)}\b([^"\n]*)', shell):
            yield path.name, shlex.split(command, comments=True)


def test_checks_run_the_test_command_of_the_readme():
    checks = (ROOT / ".ci" / "run").read_text()
    assert "<!-- test command -->" in checks
    assert "README.md" in checks
    assert ".venv/bin/pip install" not in checks  # the README's command alone installs there


def test_locked_versions_fit_what_is_asked_for():
    lines = (ROOT / "requirements-checks.txt").read_text().splitlines()
    locked = dict(line.lower().split("==") for line in lines if not line.startswith("#"))
    groups = {**PROJECT["optional-dependencies"], "": PROJECT["dependencies"]}
    for extra in groups.keys() - {"board", "cuda", "cuda13", "onnx"}:
        for requirement in map(Requirement, groups[extra]):
            if requirement.name != PROJECT["name"]:
                version = locked[requirement.name.lower()]
                assert requirement.specifier.contains(version), requirement


@pytest.mark.parametrize("name", ["main command", "test command"])
def test_command_does_all_of_its_set_up_in_one_line(name):
    (line,) = block(name).splitlines()
    environment, install, job = line.split(" && ")
    assert environment == "python3 -m venv .venv"
    assert install.startswith(".venv/bin/pip install ")
    assert job.startswith(".venv/bin/python ")


def test_main_command_runs(tmp_path):
    job = shlex.split(block("main command").split(" && ")[-1])
    folder = tmp_path / job[-1]
    assert "J&F" in run_python(*job[1:-1], folder)[0]
    assert list(folder.rglob("*.png"))


def test_what_is_named_exists():
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        text = (ROOT / name).read_text()
        named = set(re.findall(r"(?<![\w/.~-])(?:[\w./]+/)?\w+\.(?:py|md|toml)\b", text))
        named |= set(re.findall(r"\]\(([\w./]+)\)", text))
        assert named
        assert {path for path in named if not (ROOT / path).exists()} == set()
    text = "".join(path.read_text() for path in [*DOCUMENTS, ROOT / "CHANGELOG.md"])
    modules = set(re.findall(r"python -m (mavos_jax[\w.]*\w)", text))
    assert modules
    assert {name for name in modules if importlib.util.find_spec(name) is None} == set()
    listed = re.findall(r"`(\w+\.py)`", (ROOT / "configs" / "README.md").read_text())
    assert sorted(listed) == sorted(path.name for path in (ROOT / "configs").glob("*.py"))
    extras = {name for group in re.findall(r"\.\[([\w,]+)\]", README) for name in group.split(",")}
    assert extras
    assert extras <= PROJECT["optional-dependencies"].keys()
    used = set(re.findall(r"\bmavos_jax\.(\w+)\(", README))
    assert used
    assert used <= set(mavos_jax.__all__)


def test_overrides_in_commands_fit_their_configuration():
    for _, command in commands_of("train.py"):
        path = ROOT / command[command.index("--config") + 1]
        fields = [index for index, word in enumerate(command) if re.match(r"--\w+\.", word)]
        if path.exists():
            load_config(path, [word for index in fields for word in command[index : index + 2]])


@pytest.mark.parametrize("script", NEEDED)
def test_options_in_commands_and_in_the_text_exist(script):
    commands = list(commands_of(script))
    assert commands
    for name, command in commands:
        named = options_in(" ".join(command))
        assert NEEDED[script] <= named <= options_of(script), (name, command)
    text = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
    assert options_in(text) <= set.union(*map(options_of, NEEDED))


def test_names_in_documents_exist():
    for path in DOCUMENTS:
        text = path.read_text()
        for example in re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
            imports = re.findall(r"^(?:from|import) .*$", example, re.MULTILINE)
            exec("\n".join(imports))
        for first, second, module in re.findall(
            r"`(\w+)\([^`]*\)`(?: and `(\w+)\([^`]*\)`)? in `(mavos_jax[\w.]+)`", text
        ):
            found = vars(importlib.import_module(module))
            assert {first, second or first} <= set(found), (path, module)


def test_api_example_runs(tmp_path, monkeypatch, capsys):
    example = block("api example")
    write_videos(tmp_path, {"clip": 3})
    (tmp_path / "JPEGImages/clip").rename(tmp_path / "clip")
    first = (tmp_path / "Annotations/clip/00000.png").rename(tmp_path / "first.png")
    (weights,) = re.findall(r'load\("(.*)"\)', example)
    config = load_config(ROOT / "configs" / "tiny.py")
    save(tmp_path / weights, config, init_variables(build_model(config)))
    monkeypatch.chdir(tmp_path)

    names = {}
    exec(compile(example, "README.md", "exec"), names)
    assert names["masks"].shape == (3, 48, 64)
    np.testing.assert_array_equal(names["masks"][0], np.asarray(Image.open(first)))
    np.testing.assert_array_equal(names["mask_of_frame"], names["masks"][-1])
    assert len(capsys.readouterr().out.splitlines()) == 3
