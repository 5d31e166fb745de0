"""The reader of ``.npz`` files, which trusts no header."""

from __future__ import annotations

import errno
import math
import warnings
import zipfile
from io import BufferedReader, BytesIO

import numpy as np

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def read_npz(opened: BufferedReader | BytesIO) -> dict[str, np.ndarray]:
    """Returns the arrays of an ``.npz`` file by name, and allocates nothing it does not fill.

    Raises:
      ValueError: it is damaged, of another format, or holds Python objects.
      OSError: it cannot be read now.
    """
    try:
        with warnings.catch_warnings(), zipfile.ZipFile(opened) as archive:
            warnings.simplefilter("ignore")  # of headers from Python 2, and of damaged ones
            return {
                entry.filename.removesuffix(".npy"): _read_array(archive, entry)
                for entry in archive.infolist()
            }
    except MemoryError:
        raise
    except Exception as error:  # damaged archives and headers raise whatever their parsers do
        # A damaged position is an invalid argument, all else says nothing about the content.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ValueError(reason) from None


def _read_array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(entry) as member:
        version = np.lib.format.read_magic(member)
        if version not in _HEADERS:
            raise ValueError(f"{entry.filename}: expected format 1.0 or 2.0, found {version}")
        try:
            shape, is_fortran, dtype = _HEADERS[version](member)
        except MemoryError as error:  # of Python's parser, for too many brackets
            raise ValueError(
                f"{entry.filename}: {error or 'a header that nests too deep'}"
            ) from None
        if dtype.hasobject:
            raise ValueError(f"{entry.filename}: expected numbers, found Python objects")
        data = member.read()
    declared = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or declared != len(data):
        raise ValueError(
            f"{entry.filename}: expected {declared} bytes, as its header says, found {len(data)}"
        )
    return np.frombuffer(data, dtype).reshape(shape, order="F" if is_fortran else "C")
