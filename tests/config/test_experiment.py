import zipfile

import pytest
from refusals import refuse

from mavos_jax.commands.parser import load_config
from mavos_jax.config.experiment import read_config_file


@pytest.mark.parametrize("name", ["x.pth", "x.png", "x.zip", "x", "x.py"])
def test_archives_are_refused_and_not_run(tmp_path, name):
    with zipfile.ZipFile(tmp_path / name, "w") as archive:
        archive.writestr("__main__.py", "raise AssertionError('code ran')")
    as_python = r"^\S+/x\.py(, line 1)?: (Syntax|Value)Error: "
    swapped = rf"found \S+/{name}; are --config and --input swapped\?$"
    refuse(as_python if name == "x.py" else swapped, load_config, tmp_path / name)


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
