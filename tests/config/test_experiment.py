import zipfile

import pytest
from refusals import refuse

from mavos_jax.commands.parser import load_config
from mavos_jax.config.experiment import read_config_file


@pytest.mark.parametrize("name", ["x.pth", "x.png", "x.zip", "x"])
def test_other_files_are_refused_unread(tmp_path, name):
    with zipfile.ZipFile(tmp_path / name, "w") as archive:
        archive.writestr("__main__.py", "raise AssertionError('code ran')")
    match = rf"found \S+/{name}; are --config and --input swapped\?$"
    refuse(match, load_config, tmp_path / name)


def test_archive_named_as_python_is_not_run(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.py", "w") as archive:
        archive.writestr("__main__.py", "raise AssertionError('code ran')")
    match = r"^\S+/x\.py(, line 1)?: (Syntax|Value)Error: "
    refuse(match, read_config_file, tmp_path / "x.py")


def test_files_may_define_dataclasses_and_look_at_their_path(tmp_path):
    (tmp_path / "x.py").write_text(
        "from __future__ import annotations\n"
        "import dataclasses, pathlib\n"
        "from mavos_jax.config import Experiment\n"
        "@dataclasses.dataclass\n"
        "class Name:\n"
        "    text: str\n"
        "config = Experiment(name=Name(pathlib.Path(__file__).stem).text)\n"
    )
    assert read_config_file(tmp_path / "x.py").name == "x"
