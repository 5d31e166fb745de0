"""Configuration files: Python files that name their experiment ``config``."""

from __future__ import annotations

import difflib
import sys
import traceback
import types
from pathlib import Path
from typing import Any

from mavos_jax.config import Experiment

_MODULE = "__mavos_config__"


def read_config_file(path: Path) -> Experiment:
    """Runs a configuration file and returns its experiment."""
    if not path.is_file():
        raise ValueError(f"expected a configuration file, found none at {path}{_suggest(path)}")
    if path.suffix != ".py":
        raise ValueError(
            "expected a Python configuration file such as configs/mavos.py, found "
            f"{path}; are --config and --input swapped?"
        )
    try:
        names = _run(path)
    # A file that leaves with sys.exit() would otherwise end the caller without a word.
    except (Exception, SystemExit) as error:
        line = _line_of(error, path)
        where = f"{path}, line {line}" if line else f"{path}"
        text = error.msg if isinstance(error, SyntaxError) else str(error)
        raise ValueError(f"{where}: {type(error).__name__}: {' '.join(text.split())}") from error
    if "config" not in names:
        raise ValueError(f"{path}: expected an Experiment named `config`, found no such name")
    config = names["config"]
    if not isinstance(config, Experiment):
        raise ValueError(
            f"{path}: expected `config` to be an Experiment, found {type(config).__name__}"
        )
    return config


def _run(path: Path) -> dict[str, Any]:
    """Runs Python source and returns its names; a zip archive or a folder is no source.

    It may import the configurations beside it by their names.
    """
    code = compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
    module = types.ModuleType(_MODULE)
    module.__file__ = str(path)
    folder = str(path.parent.resolve())
    before = set(sys.modules)
    sys.modules[_MODULE] = module  # dataclasses look up the module that they are defined in
    sys.path.insert(0, folder)
    try:
        exec(code, module.__dict__)
    finally:
        sys.path.remove(folder)
        del sys.modules[_MODULE]
        # Another folder's configuration of the same name must not find this one.
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            if file is not None and Path(file).parent == Path(folder):
                del sys.modules[name]
    return module.__dict__


def _line_of(error: BaseException, path: Path) -> int | None:
    """Returns the last line of the file that an error passed through, if any."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(path)]
    return lines[-1] if lines else None


def _suggest(path: Path) -> str:
    """Names the configuration file that was most likely meant by a missing ``path``."""
    found = {f.stem: f for folder in (Path("configs"), path.parent) for f in folder.glob("*.py")}
    close = difflib.get_close_matches(path.stem, found, n=1)
    return f"; did you mean {found[close[0]]}?" if close else ""
