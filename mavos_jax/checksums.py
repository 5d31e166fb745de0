"""Checksums of text and of the files below a folder, to notice damage before it is read."""

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


def text_checksum(text: str) -> str:
    """Returns the CRC-32 of a text."""
    return f"{zlib.crc32(text.encode()):08x}"


def _crc32(file: Path) -> int:
    total = 0
    with file.open("rb") as opened:
        while chunk := opened.read(_CHUNK):
            total = zlib.crc32(chunk, total)
    return total
