"""Arguments of the public functions, checked by type before anything of theirs is used."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from flax.errors import FlaxError

from mavos_jax.config.checks import require_kind
from mavos_jax.models.mavos import MAVOS

_LONGEST_GAP = 2**31 - 1
"""Longer than any video, and all that int32 holds."""


def check_network(model: object, variables: object) -> None:
    """Raises ValueError unless these are a network and, by their kind, its variables."""
    require_kind("model", model, MAVOS, "a network from load or build_model")
    require_kind("variables", variables, Mapping, "the dictionary of variables that load returns")


@contextlib.contextmanager
def fitting_variables() -> Iterator[None]:
    """Raises ValueError for what Flax raises in the block: variables of another network."""
    try:
        yield
    except FlaxError as error:
        found = str(error).partition(" (http")[0]
        raise ValueError(
            f"variables: expected those of the network, as load returns them, found others: {found}"
        ) from error


def as_array(value: object, name: str) -> np.ndarray:
    """Returns an array-like object as an array, or raises ValueError with its ``name``."""
    try:
        return np.asarray(value)
    except Exception as error:  # whatever the objects' own libraries raise
        raise ValueError(
            f"{name}: expected an array, found a {type(value).__name__} that NumPy cannot read: "
            f"{' '.join(str(error).split())}"
        ) from error


def check_frames(frames: object, name: str = "frames") -> None:
    """Raises ValueError for what is no iterable of frames, such as the path of a video."""
    expected = "RGB frames, uint8 [H, W, 3] each; evaluate.py --video reads files"
    is_path = isinstance(frames, (str, bytes, os.PathLike, Mapping))
    require_kind(name, frames, () if is_path else Iterable, expected)


def check_labels(labels: Any) -> None:
    """Raises ValueError unless these are masks by number of frame, none of the first."""
    expected = "a dictionary of masks by number of frame"
    require_kind("labels", labels, Mapping, expected)
    for frame in labels:
        require_kind("labels", frame, (int, np.integer), f"{expected}, whose keys are integers")
        if frame < 1:
            raise ValueError(f"labels: expected frames from 1 on, found {frame}")


def check_sequence(name: str, values: Any, expected: str, length: int | None = None) -> None:
    """Raises ValueError unless these are values of known number, ``length`` if given; no text."""
    is_wrong = isinstance(values, (str, bytes, Mapping)) or not hasattr(values, "__len__")
    require_kind(name, values, () if is_wrong else object, expected)
    if length is not None and len(values) != length:
        raise ValueError(f"{name}: expected {expected}, found {len(values)}")


def checked_gap(model: MAVOS, gap: int | None) -> int:
    """Returns the frames between two long-term writes: as given, or the configuration's."""
    if gap is None:
        return model.config.memory.gap
    if not isinstance(gap, int | np.integer) or gap < 1:
        raise ValueError(f"gap: expected a whole number of frames, at least 1, found {gap!r}")
    return min(int(gap), _LONGEST_GAP)
