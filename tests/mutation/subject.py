"""What a campaign of damaged files tries: sound files, damage to them, and who reads them."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Places(NamedTuple):
    """The folders of a campaign, side by side.

    ``tree`` has the files that are read, some of them damaged. Readers may write into ``output``,
    which is empty at the start of each. ``outside`` are somebody else's files, which must stay.
    """

    tree: Path
    output: Path
    outside: Path


Reader = Callable[[], object]
"""Reads damaged files; returns after it has checked the result, or raises ``ValueError``."""


class Damage(NamedTuple):
    """Damaged content of files by their names below the tree, and everything that reads them."""

    files: Mapping[str, bytes | None]  # None removes one
    readers: Sequence[Reader]
    owns_tree: bool = False  # whether readers may write into the tree, as the folder of a run
    needs_name: bool = True  # whether a message must name a damaged file or its folder; else any
    may_speak: bool = False  # whether a library may write on the standard error output


Subject = Callable[[random.Random], Damage]
"""One kind of files, the sound ones of which are written; chooses damage to them."""


def put(path: Path, data: bytes) -> None:
    """Writes a file, and folders as needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def require_array(array: object, shape: tuple[int, ...]) -> None:
    """Fails unless something is an array of bytes of a shape."""
    assert isinstance(array, np.ndarray), type(array)
    assert (array.dtype, array.shape) == (np.uint8, shape), (array.dtype, array.shape)


def require_lines(lines: list[str], root: Path) -> None:
    """Fails unless a check's findings are lines that say where."""
    for line in lines:
        assert len(line.splitlines()) == 1, line
        assert str(root) in line, line
