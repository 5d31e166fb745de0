"""Checksums, which tell damage (CRC-32), and hashes, which tell contents apart (SHA-256)."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable
from pathlib import Path

_CHUNK = 1 << 20


def checksum(content: bytes | str) -> str:
    """Returns the CRC-32 of some bytes, or of a text in UTF-8, as eight hexadecimal digits."""
    return f"{zlib.crc32(_encoded(content)):08x}"


def file_checksum(path: Path) -> str:
    """Returns the CRC-32 of a file, read in pieces."""
    total = 0
    with path.open("rb") as opened:
        while chunk := opened.read(_CHUNK):
            total = zlib.crc32(chunk, total)
    return f"{total:08x}"


def file_checksums(folder: Path) -> dict[str, str]:
    """Returns the CRC-32 of every file below a folder by its relative name."""
    files = (file for file in sorted(folder.rglob("*")) if file.is_file())
    return {file.relative_to(folder).as_posix(): file_checksum(file) for file in files}


def short_hash(parts: Iterable[bytes | str]) -> str:
    """Returns the first 16 hexadecimal digits of the SHA-256 of all parts, one after the other."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(_encoded(part))
    return digest.hexdigest()[:16]


def _encoded(content: bytes | str) -> bytes:
    return content.encode() if isinstance(content, str) else content
