"""PyTorch's own files; the only module that imports PyTorch, and only when one is read or written.

Files are read with ``weights_only=True``: what is not plain tensors and containers is refused
before any of its code could run.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import io
import pickle
import pickletools
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np


def read_torch_file(path: Path) -> Any:
    """Returns what a PyTorch file holds, with its tensors as NumPy arrays."""
    torch = import_for(path, "torch", "torch")
    try:
        with _no_warnings():  # about old file formats, which read well
            return _to_numpy(torch, torch.load(path, map_location="cpu", weights_only=True))
    # A file that is no PyTorch file can fail in any way that unpickling can.
    except Exception as error:
        # A damaged position is an invalid argument, all else says nothing about the content.
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        found = (
            f"{_name_object(path, error)}, which could run code; save the tensors alone, with "
            "torch.save(model.state_dict(), path), or of a file that you trust by python -c "
            f"\"import torch; torch.save(torch.load('{path}', weights_only=False)['state_dict'], "
            f"'{path.stem}_tensors.pth')\""
            if _holds_objects(path, error)
            else "a damaged file or one of another format; get it again, or export it as .npz"
        )
        raise ValueError(f"{path}: expected a PyTorch file of tensors, found {found}") from None


def torch_file(path: Path, state: Mapping[str, np.ndarray]) -> bytes:
    """Returns the content of a file with ``{"state_dict": state}``, as the released code loads."""
    torch, content = import_for(path, "torch", "torch"), io.BytesIO()
    tensors = {name: torch.from_numpy(array.copy()) for name, array in state.items()}
    torch.save({"state_dict": tensors}, content)
    return content.getvalue()


def _holds_objects(path: Path, error: Exception) -> bool:
    """Says whether a file that PyTorch refuses is intact, and holds more than tensors."""
    if not isinstance(error, pickle.UnpicklingError):
        return is_pickle(path)
    # The archives have checksums of their own: where one is opened, its pickle is as written.
    is_refused = any(reason in str(error) for reason in ("Unsupported global", "Unsupported class"))
    return is_refused or zipfile.is_zipfile(path) or is_pickle(path)


def _name_object(path: Path, error: Exception) -> str:
    """Names what PyTorch refuses, and the entry that it lies in where that can be told."""
    refused = re.search(r"(?:Unsupported global: GLOBAL|Unsupported class) (\S+)", str(error))
    if refused is None:
        return "Python objects"
    entry = _entry_before(path, refused[1])
    return f"Python objects ({refused[1]}{f' in the entry {entry!r}' if entry else ''})"


def _entry_before(path: Path, name: str) -> str | None:
    """Returns the last text in a PyTorch file before a global: the key of the entry it begins."""
    texts: list[str] = []
    with contextlib.suppress(Exception), _no_warnings(), zipfile.ZipFile(path) as archive:
        pickled = next(x for x in archive.namelist() if x.endswith("data.pkl"))
        with archive.open(pickled) as opened:
            for instruction, argument, _ in pickletools.genops(opened):
                is_global = instruction.name in ("GLOBAL", "STACK_GLOBAL")
                named = str(argument).replace(" ", ".") if argument else ".".join(texts[-2:])
                if is_global and named == name:
                    before = texts if argument else texts[:-2]
                    return before[-1] if before else None
                if "UNICODE" in instruction.name:
                    texts.append(str(argument))
    return None


@contextlib.contextmanager
def _no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def is_pickle(path: Path) -> bool:
    """Says whether a file is one whole pickle; reads its instructions without following them."""
    with path.open("rb") as opened, _no_warnings():
        try:
            for _ in pickletools.genops(opened):
                pass
        except Exception:  # any, for bytes that are no pickle
            return False
        return not opened.read(1)


def import_for(path: Path, module: str, package: str) -> Any:
    """Imports a module that only files such as ``path`` need, and that may not be installed."""
    try:
        return importlib.import_module(module)
    except ImportError:
        raise ValueError(
            f"{path}: expected {package} to be installed for such a file; "
            f"install it with pip install {package}, or use a .npz file"
        ) from None


def _to_numpy(torch: Any, value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _to_numpy(torch, item) for key, item in value.items()}
    if isinstance(value, torch.Tensor):
        # NumPy has no bfloat16; float32 holds its values exactly.
        exact = value.float() if value.dtype == torch.bfloat16 else value
        return exact.detach().numpy()
    return value
