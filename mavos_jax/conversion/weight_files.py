"""State dictionaries in files: PyTorch's own, ``.npz`` and ``.safetensors``."""

from __future__ import annotations

import contextlib
import os
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mavos_jax.conversion.torch_files import read_torch_file, write_torch_file

_WRAPPERS = ("state_dict", "model", "model_ema", "ema")
"""Under which key training scripts put the state dictionary, the likeliest first."""

_PARALLEL_PREFIX = "module."
"""What PyTorch's data-parallel wrappers put in front of every name."""


class WeightFile(NamedTuple):
    """What was read from a file.

    Attributes:
      state: arrays by name.
      others: names of the entries beside the arrays or beside the state dictionary that holds
        them, such as an optimizer's state or an epoch, which are left out.
    """

    state: dict[str, np.ndarray]
    others: tuple[str, ...]


def read_weight_file(path: Path) -> WeightFile:
    """Reads a state dictionary; the suffix decides the format.

    It may lie under one of the usual keys, and its names may begin with ``module.``.

    Args:
      path: ``.npz``, ``.safetensors``, or a PyTorch file of any other suffix.

    Raises:
      ValueError: the file does not exist, is not of its format or holds no arrays.
    """
    if not path.is_file():
        found = "a folder" if path.is_dir() else "nothing"
        raise ValueError(f"{path}: expected a file of weights, found {found}")
    if path.suffix == ".npz":
        content: Any = _read_npz(path)
    elif path.suffix == ".safetensors":
        content = _read_safetensors(path)
    else:
        content = read_torch_file(path)
    content, siblings = _unwrap(content)
    arrays = {key: x for key, x in content.items() if isinstance(x, np.ndarray)}
    if not arrays:
        raise ValueError(
            f"{path}: expected named tensors, alone or under one of the keys {list(_WRAPPERS)}; "
            f"found {_describe(content)}"
        )
    names = {str(key).removeprefix(_PARALLEL_PREFIX): x for key, x in arrays.items()}
    if len(names) < len(arrays):
        raise ValueError(
            f"{path}: expected one tensor of each name, found some both with and without "
            f"{_PARALLEL_PREFIX!r} in front; save the state dictionary of one network"
        )
    others = (*siblings, *(str(key) for key in content if key not in arrays))
    return WeightFile(names, others)


def write_weight_file(path: Path, state: Mapping[str, np.ndarray]) -> None:
    """Writes a state dictionary; the suffix decides the format, as in reading.

    Nothing is left at ``path`` if it fails, and an existing file stays as it was.

    Raises:
      ValueError: the package that the format needs is not installed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffix stays the last, because writers look at it.
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    try:
        if path.suffix == ".npz":
            np.savez(name, **dict(state))  # pyright: ignore[reportArgumentType]
        elif path.suffix == ".safetensors":
            _import_safetensors(path).save_file(dict(state), name)
        else:
            write_torch_file(Path(name), state)
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{path}: expected NumPy arrays written by numpy.savez, found something else ({error})"
        ) from None


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    safetensors = _import_safetensors(path)
    try:
        return safetensors.load_file(path)
    # The exception's class belongs to the compiled part and is no ValueError.
    except Exception as error:
        raise ValueError(
            f"{path}: expected a safetensors file, found something else ({error})"
        ) from None


def _import_safetensors(path: Path) -> Any:
    try:
        import safetensors.numpy
    except ImportError:
        raise ValueError(
            f"{path}: expected safetensors to be installed for such a file; "
            "install it with pip install safetensors"
        ) from None
    return safetensors.numpy


def _unwrap(content: Any) -> tuple[Mapping[Any, Any], tuple[str, ...]]:
    """Returns what lies under the usual keys, and the names of what lies beside them."""
    siblings: tuple[str, ...] = ()
    while isinstance(content, Mapping):
        wrapper = next((key for key in _WRAPPERS if isinstance(content.get(key), Mapping)), None)
        if wrapper is None:
            return content, siblings
        siblings += tuple(str(key) for key in content if key != wrapper)
        content = content[wrapper]
    return {}, siblings


def _describe(content: Mapping[Any, Any]) -> str:
    if not content:
        return "none"
    return f"the entries {sorted(map(str, content))[:5]}"


def _umask() -> int:
    """Returns the process's mask of permissions, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
