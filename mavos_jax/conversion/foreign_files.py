"""What people have instead of a file of weights: told by its first bytes, with the way out."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

from mavos_jax.conversion.torch_files import is_pickle

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

_SUFFIXES = (".pth", ".pt", ".ckpt", ".bin", ".npz", ".safetensors")


def describe_foreign(path: Path) -> str | None:
    """Returns what a file is that cannot hold weights as its suffix says, and what to do about it.

    None says nothing of the content: it may be weights, or damaged.
    """
    with path.open("rb") as opened:
        head = opened.read(_NUM_BYTES)
    if not head:
        return f"it is empty; {_DOWNLOAD_AGAIN}"
    mark = next((mark for mark in _MARKS if head.startswith(mark)), None)
    if mark is not None:
        return f"it is {_MARKS[mark]}"
    if path.suffix != ".safetensors" and re.match(rb"[^\0]*\0{1,7}\{", head[:9]):
        return f"it is a safetensors file; rename it to {path.stem}.safetensors"
    if zipfile.is_zipfile(path):
        return _describe_archive(path)
    return _describe_text(path, head)


def _describe_archive(path: Path) -> str | None:
    """Says what else than the file of its suffix a zip archive is."""
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
    if _is_json(text):
        return f"it is JSON, perhaps a server's error; {_DOWNLOAD_AGAIN}"
    if is_pickle(path):  # whose oldest form is text
        return None
    return f"it is a text file that begins with {text[:30]!r}; {_DOWNLOAD_AGAIN}"


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
