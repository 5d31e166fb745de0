"""What is left open by the protocols, and for the user to say."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Literal

from mavos_jax.datasets.names import read_lines

LvosRule = Literal["2024-05", "before-2024-05"]
LongTimeVideoRule = Literal["davis", "afb-urr"]


@dataclasses.dataclass(frozen=True)
class ScoringRule:
    """Variants of the protocols; each benchmark looks at those that concern it.

    Attributes:
      official_decay: see :func:`mavos_jax.scores.metrics.statistics`.
      lvos: the official tool of LVOS since May 2024, which drops the first and the last frame of an
        object's life span, or that of before, which drops none.
      long_time_video: the rule of DAVIS, which drops the first and the last label, or that of
        AFB-URR, which drops the first alone.
      unseen: names of the videos (LVOS) or categories (YouTube-VOS) that training has not seen;
        None where nothing tells, which leaves means over all objects.
    """

    official_decay: bool = False
    lvos: LvosRule = "2024-05"
    long_time_video: LongTimeVideoRule = "davis"
    unseen: frozenset[str] | None = None


def read_names(path: Path) -> frozenset[str]:
    """Reads the names of a list, one in a line; empty lines and those with # are left out.

    Raises:
      ValueError: there is no such file, it is no text, or no name is in it.
    """
    if not path.is_file():
        raise ValueError(f"{path}: expected a list of names, one in a line, found no such file")
    names = frozenset(line for line in read_lines(path) if not line.startswith("#"))
    if not names:
        raise ValueError(f"{path}: expected names, one in a line, found none")
    return names
