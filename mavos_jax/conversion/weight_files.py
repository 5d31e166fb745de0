"""State dictionaries in files: PyTorch's own, ``.npz`` and ``.safetensors``."""

import collections
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors.numpy import load_file, save

from mavos_jax.conversion import torch_files
from mavos_jax.runtime.files import written_whole
from mavos_jax.runtime.untrusted import read_npz

_WRAPPERS = (
    *("state_dict", "model_state_dict", "model", "module", "net", "network", "backbone", "weights"),
    *("model_ema", "ema_model", "ema_state_dict", "ema", "shadow", "teacher", "student"),
)
"""Under which keys training scripts put the state dictionary, and which words they put in front of
its names, the likeliest first."""

_FORMATS = {".npz": "NumPy arrays written by numpy.savez", ".safetensors": "a safetensors file"}
_COMPILED = ("_orig_mod", "module")  # what torch.compile and data-parallel wrappers put into names


class WeightFile(NamedTuple):
    """The arrays of a file by name, and what was left out of it."""

    state: dict[str, np.ndarray]
    others: tuple[str, ...]  # entries beside the arrays
    prefixes: tuple[str, ...] = ()  # what wrappers put into their names


def read_weight_file(path: Path) -> WeightFile:
    """Reads a file's state dictionary; unwraps the usual keys and strips the usual prefixes."""
    if not path.is_file():
        found = "a folder; name the file in it" if path.is_dir() else "nothing"
        raise ValueError(f"{path}: expected a file of weights, found {found}")
    foreign = torch_files.describe_foreign(path)
    if foreign is not None:
        raise ValueError(
            f"{path}: expected {_FORMATS.get(path.suffix, 'a PyTorch file of tensors')}, found a "
            f"damaged file or one of another format: {foreign}"
        )
    content, siblings = _unwrap(_read(path))
    arrays = {key: x for key, x in content.items() if isinstance(x, np.ndarray)}
    if not arrays:
        found = f"the entries {sorted(map(str, content))[:5]}" if content else "none"
        raise ValueError(
            f"{path}: expected named tensors, alone or under one of the keys {list(_WRAPPERS)}; "
            f"found {found}"
        )
    names, rest, prefixes = _without_prefixes(path, {str(key): x for key, x in arrays.items()})
    others = (*siblings, *rest, *(str(key) for key in content if key not in arrays))
    return WeightFile(names, others, prefixes)


def write_weight_file(path: Path, state: Mapping[str, np.ndarray]) -> None:
    """Writes a state dictionary whole or not at all; the suffix decides the format."""
    with written_whole(path) as temporary:
        if path.suffix == ".npz":
            with temporary.open("wb") as opened:  # by its name NumPy would add the suffix
                np.savez(opened, **dict(state))  # pyright: ignore[reportArgumentType]
        elif path.suffix == ".safetensors":
            temporary.write_bytes(save(dict(state)))
        else:
            temporary.write_bytes(torch_files.torch_file(path, state))


def _read(path: Path) -> Any:
    if path.suffix not in _FORMATS:
        return torch_files.read_torch_file(path)
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        with path.open("rb") as opened:
            return read_npz(opened)
    except (OSError, MemoryError):
        raise
    # The exceptions of safetensors belong to its compiled part and are no ValueErrors.
    except Exception as error:
        found = f"found something else ({' '.join(str(error).split())})"
        raise ValueError(f"{path}: expected {_FORMATS[path.suffix]}, {found}") from None


def _unwrap(content: Any) -> tuple[Mapping[Any, Any], tuple[str, ...]]:
    """Returns what the usual keys hold, and the names of the entries beside them."""
    siblings: tuple[str, ...] = ()
    while isinstance(content, Mapping):
        holders = [key for key, value in content.items() if _holds_arrays(value)]
        wrapper = next((key for key in _WRAPPERS if key in holders), None)
        if wrapper is None and len(holders) == 1 and not _has_arrays(content):
            wrapper = holders[0]
        if wrapper is None:
            return content, siblings
        siblings += tuple(str(key) for key in content if key != wrapper)
        content = content[wrapper]
    return {}, siblings


def _holds_arrays(value: Any, depth: int = 3) -> bool:
    if not isinstance(value, Mapping) or not depth:
        return False
    return _has_arrays(value) or any(_holds_arrays(x, depth - 1) for x in value.values())


def _has_arrays(content: Mapping[Any, Any]) -> bool:
    return any(isinstance(value, np.ndarray) for value in content.values())


def _without_prefixes(
    path: Path, arrays: Mapping[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], tuple[str, ...], tuple[str, ...]]:
    """Returns arrays by the network's own names, what is left out, and what was taken off."""
    words = {name: name.split(".") for name in arrays}
    taken = [word for word in _COMPILED if any(word in parts for parts in words.values())]
    found = {
        ".".join(part for part in words[name] if part not in taken) or name: array
        for name, array in arrays.items()
    }
    if len(found) < len(arrays):
        raise ValueError(
            f"{path}: expected one tensor of each name, found some both with and without "
            f"{' and '.join(repr(f'{word}.') for word in taken)}; save the state dictionary of "
            "one network"
        )
    others: list[str] = []
    while True:
        heads = collections.Counter(name.partition(".")[0] for name in found)
        wrappers = [word for word in _WRAPPERS if word in heads and word not in found]
        # A network may have a module of such a name among others.
        if not wrappers or 2 * sum(heads[word] for word in wrappers) < len(found):
            return found, tuple(others), tuple(f"{word}." for word in taken)
        prefix = f"{wrappers[0]}."
        others += [f"{head}.* ({n})" for head, n in heads.items() if head != wrappers[0]]
        found = {n.removeprefix(prefix): x for n, x in found.items() if n.startswith(prefix)}
        taken.append(wrappers[0])
