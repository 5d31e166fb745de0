"""Checksums of the files below a folder, to notice damage before anything reads them."""

from __future__ import annotations

import zlib
from pathlib import Path

_CHUNK = 1 << 20


def file_checksums(folder: Path) -> dict[str, str]:
    """Returns the CRC-32 of every file below a folder by its relative name."""
    return {
        file.relative_to(folder).as_posix(): f"{_crc32(file):08x}"
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def _crc32(file: Path) -> int:
    total = 0
    with file.open("rb") as opened:
        while chunk := opened.read(_CHUNK):
            total = zlib.crc32(chunk, total)
    return total
