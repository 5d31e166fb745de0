"""What a campaign of damaged files tries: sound files, damage to them, and who reads them."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

Reader = Callable[[], object]
"""Reads damaged files; returns after it has checked the result, or raises ``ValueError``."""


class Places(NamedTuple):
    """The folders of a campaign, side by side.

    ``tree`` has the files that are read, some of them damaged. Readers may write into ``output``,
    which is empty at the start of each. ``outside`` are somebody else's files, which must stay.
    """

    tree: Path
    output: Path
    outside: Path


class Subject:
    """One kind of files. Making one writes sound files into ``places.tree``."""

    owns_tree = False  # whether readers may write into the tree, as it is the folder of a run
    needs_name = True  # whether a message must name a damaged file or its folder; else any
    may_speak = False  # whether a library may write on the standard error output

    def __init__(self, places: Places) -> None:
        self.places = places

    def damage(self, rng: random.Random) -> Mapping[str, bytes | None]:
        """Chooses damaged content of files below the tree, by relative name; None removes one."""
        raise NotImplementedError

    def readers(self) -> tuple[Reader, ...]:
        """Everything that reads the files, each of which is tried alone."""
        raise NotImplementedError


def put(path: Path, data: bytes) -> None:
    """Writes a file, and folders as needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def require_array(array: object, dtype: type, shape: tuple[int, ...]) -> None:
    """Fails unless something is an array of a type and a shape."""
    assert isinstance(array, np.ndarray), type(array)
    assert (array.dtype, array.shape) == (np.dtype(dtype), shape), (array.dtype, array.shape)


def require_lines(lines: list[str], root: Path) -> None:
    """Fails unless a check's findings are lines that say where."""
    for line in lines:
        assert len(line.splitlines()) == 1, line
        assert str(root) in line, line
