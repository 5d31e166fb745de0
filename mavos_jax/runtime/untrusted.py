"""Files that strangers hand in: JSON read with limits, and ``.npz`` without trust in headers."""

import collections
import errno
import json
import math
import warnings
import zipfile
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.lib import format as npy

_Value = TypeVar("_Value", bool, int, float, str, list, dict)
_MAX_DIGITS = 30
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def read_json(path: Path, remedy: str = "; restore the file") -> Any:
    """Reads JSON in UTF-8 within limits of numbers and levels; ``remedy`` ends its messages."""
    try:
        return json.loads(
            path.read_text(encoding="utf-8-sig"),
            object_pairs_hook=_without_repetition,
            parse_int=_short_int,
            parse_float=_finite_float,
            parse_constant=_finite_float,
        )
    except (ValueError, RecursionError) as error:
        found = "too many levels" if isinstance(error, RecursionError) else error
        raise ValueError(f"{path}: expected JSON, found {found}{remedy}") from error


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        repeated = collections.Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"{shortened(repeated)} twice")
    return content


def _short_int(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def _finite_float(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(f"the number {shortened(text)}, which is not finite")
    return value


def shortened(value: object, length: int = 60) -> str:
    """Quotes a value for a message, or the beginning of a long one."""
    text = repr(value)
    return text if len(text) <= length else f"{text[:length]}..."


def typed(value: Any, kind: type[_Value]) -> _Value:
    """Returns a JSON value of a type, else raises ValueError; true and false are no numbers."""
    kinds = (int, float) if kind is float else (kind,)
    if not isinstance(value, kinds) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"expected {kind.__name__}, found {shortened(value)}")
    if isinstance(value, str):
        value.encode()
    return value  # type: ignore[return-value]


def read_npz(opened: BufferedReader | BytesIO) -> dict[str, np.ndarray]:
    """Returns the arrays of an ``.npz`` file by name, and allocates nothing it does not fill.

    Raises ValueError if it is damaged or holds Python objects, OSError if it cannot be read now.
    """
    try:
        with warnings.catch_warnings(), zipfile.ZipFile(opened) as archive:
            warnings.simplefilter("ignore")  # of headers from Python 2, and of damaged ones
            entries = archive.infolist()
            return {x.filename.removesuffix(".npy"): _read_array(archive, x) for x in entries}
    except MemoryError:
        raise
    except Exception as error:  # damaged archives and headers raise whatever their parsers do
        # A damaged position is an invalid argument, all else says nothing about the content.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        raise ValueError(" ".join(str(error).split())[:200] or type(error).__name__) from None


def _read_array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(entry) as member:
        version = npy.read_magic(member)
        if version not in _HEADERS:
            raise ValueError(f"{entry.filename}: expected format 1.0 or 2.0, found {version}")
        try:
            shape, is_fortran, dtype = _HEADERS[version](member)
        except MemoryError as error:  # of Python's parser, for too many brackets
            raise ValueError(f"{entry.filename}: {error or 'a header nested too deep'}") from None
        if dtype.hasobject:
            raise ValueError(f"{entry.filename}: expected numbers, found Python objects")
        data = member.read()
    declared = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or declared != len(data):
        raise ValueError(
            f"{entry.filename}: expected {declared} bytes, as its header says, found {len(data)}"
        )
    return np.frombuffer(data, dtype).reshape(shape, order="F" if is_fortran else "C")
