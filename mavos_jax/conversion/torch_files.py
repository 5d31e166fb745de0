"""Reads PyTorch's own files, and tells from its first bytes what another file is instead."""

import contextlib
import errno
import functools
import importlib
import io
import json
import pickle
import pickletools
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

_NUM_BYTES = 1024
_DOWNLOAD_AGAIN = "download the weights again"
_MARKS = {
    b"\x1f\x8b": "a gzip archive; unpack it (gunzip)",
    b"BZh": "a bzip2 archive; unpack it (bunzip2)",
    b"\xfd7zXZ": "an xz archive; unpack it (unxz)",
    b"\x28\xb5\x2f\xfd": "a zstd archive; unpack it (unzstd)",
    b"7z\xbc\xaf": "a 7z archive; unpack it",
    b"Rar!": "a rar archive; unpack it",
    b"\x89HDF": "an HDF5 file (Keras); export its arrays by their PyTorch names as .npz",
    b"\x89PNG": "a PNG picture; are the options swapped?",
    b"\xff\xd8\xff": "a JPEG picture; are the options swapped?",
    b"\x93NUMPY": "one NumPy array (.npy) without names; save all of them with numpy.savez",
    b"%PDF": f"a PDF; {_DOWNLOAD_AGAIN}",
}
_no_warnings = functools.partial(warnings.catch_warnings, record=False, action="ignore")
_SUFFIXES = (".pth", ".pt", ".ckpt", ".bin", ".npz", ".safetensors")


def read_torch_file(path: Path) -> Any:
    """Returns what a PyTorch file holds, with its tensors as NumPy arrays."""
    torch = _import_torch(path)
    try:
        # ``weights_only`` refuses what is no plain tensor or container before it can run.
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
    torch, content = _import_torch(path), io.BytesIO()
    tensors = {name: torch.from_numpy(array.copy()) for name, array in state.items()}
    torch.save({"state_dict": tensors}, content)
    return content.getvalue()


def _holds_objects(path: Path, error: Exception) -> bool:
    if not isinstance(error, pickle.UnpicklingError):
        return is_pickle(path)
    # The archives have checksums of their own: where one is opened, its pickle is as written.
    is_refused = any(reason in str(error) for reason in ("Unsupported global", "Unsupported class"))
    return is_refused or _is_zip(path) or is_pickle(path)


def _name_object(path: Path, error: Exception) -> str:
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


def is_pickle(path: Path) -> bool:
    """Says whether a file is one whole pickle; reads its instructions without following them."""
    with path.open("rb") as opened, _no_warnings():
        try:
            for _ in pickletools.genops(opened):
                pass
        except Exception:  # any, for bytes that are no pickle
            return False
        return not opened.read(1)


def _import_torch(path: Path) -> Any:
    try:
        return importlib.import_module("torch")
    except ImportError:
        raise ValueError(
            f"{path}: expected torch to be installed for such a file; install it with pip install "
            "torch, or use a .npz or .safetensors file"
        ) from None


def _to_numpy(torch: Any, value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _to_numpy(torch, item) for key, item in value.items()}
    if isinstance(value, torch.Tensor):
        # NumPy has no bfloat16; float32 holds its values exactly.
        return (value.float() if value.dtype == torch.bfloat16 else value).detach().numpy()
    return value


def describe_foreign(path: Path) -> str | None:
    """Says what a file is whose content does not fit its suffix, and the way out; else None."""
    with path.open("rb") as opened:
        head = opened.read(_NUM_BYTES)
    if not head:
        return f"it is empty; {_DOWNLOAD_AGAIN}"
    mark = next((mark for mark in _MARKS if head.startswith(mark)), None)
    if mark is not None:
        return f"it is {_MARKS[mark]}"
    if path.suffix != ".safetensors" and re.match(rb"[^\0]*\0{1,7}\{", head[:9]):
        return f"it is a safetensors file; rename it to {path.stem}.safetensors"
    if _is_zip(path):
        return _describe_archive(path)
    return _describe_text(path, head)


def _is_zip(path: Path) -> bool:
    try:
        return zipfile.is_zipfile(path)
    except zipfile.BadZipFile:  # raised for one on several disks
        return False


def _describe_archive(path: Path) -> str | None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except Exception:  # the reader will say how it is damaged
        return None
    if any(name.rpartition("/")[2] == "data.pkl" for name in names):
        is_right = path.suffix not in (".npz", ".safetensors")
        return None if is_right else f"it is a PyTorch file; rename it to {path.stem}.pth"
    if names and all(name.endswith(".npy") for name in names):
        is_right = path.suffix == ".npz"
        return None if is_right else f"it holds NumPy arrays; rename it to {path.stem}.npz"
    if not names:
        return None
    inside = [x for x in names if Path(x).suffix in _SUFFIXES]
    shown = " ".join(", ".join((inside or names)[:3]).split())  # names may hold line breaks
    return f"it is a zip archive around {shown}; unpack it (unzip) and give the file inside"


def _describe_text(path: Path, head: bytes) -> str | None:
    try:
        text = head.decode("utf-8-sig") if len(head) < _NUM_BYTES else head.decode(errors="ignore")
    except UnicodeDecodeError:
        return None
    if re.search(r"[\0-\x08\x0e-\x1f\x7f]", text):
        return None
    if text.startswith("version https://git-lfs"):
        size = re.search(r"^size (\d+)", text, re.MULTILINE)
        of = f" for a file of {int(size[1]) / 1e6:.0f} MB" if size else ""
        return f"it is a Git LFS pointer{of}; fetch the file itself with git lfs pull"
    if re.match(r"\s*(<!doctype html|<html|<head|<\?xml|<error)", text, re.IGNORECASE):
        title = re.search(r"<title>\s*(.*?)\s*</title>", text, re.IGNORECASE | re.DOTALL)
        named = f" ({' '.join(title[1].split())!r})" if title else ""
        return (
            f"it is a web page{named}, which the host sent instead of the weights; open the "
            "address in a browser, confirm there, and download the file itself"
        )
    with contextlib.suppress(ValueError, RecursionError):
        if isinstance(json.loads(text), dict):
            return f"it is JSON, perhaps a server's error; {_DOWNLOAD_AGAIN}"
    if is_pickle(path):  # whose oldest form is text
        return None
    return f"it is a text file that begins with {text[:30]!r}; {_DOWNLOAD_AGAIN}"
