"""The ids in mask files, and which masks bring new ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mavos_jax.datasets.dataset import GivenMask
from mavos_jax.datasets.listing import describe_folder
from mavos_jax.media.decoding import read_values
from mavos_jax.media.masks import object_ids


def ids_by_frame(masks: Mapping[str, Path]) -> dict[str, tuple[int, ...]]:
    """Reads every mask once and lists its objects, by frame name.

    Raises:
      ValueError: see :func:`~mavos_jax.media.decoding.read_values`.
    """
    return {name: object_ids(read_values(path).ids) for name, path in masks.items()}


def first_masks(
    masks: Mapping[str, Path], ids: Mapping[str, tuple[int, ...]]
) -> dict[str, GivenMask]:
    """Gives every mask that shows objects which no earlier one does, with their ids.

    Args:
      masks: by frame name, in order; at least one.
      ids: the objects in each.

    Raises:
      ValueError: no mask shows an object.
    """
    known: set[int] = set()
    given = {}
    for name, path in masks.items():
        new = sorted(set(ids[name]) - known)
        if new:
            given[name] = GivenMask(path, tuple(new))
            known.update(new)
    if not given:
        folder = next(iter(masks.values())).parent
        raise ValueError(
            f"{folder}: expected masks with objects (1, 2, ...), found only 0 and 255 in "
            f"{describe_folder(folder)}"
        )
    return given


def starting_masks(masks: Mapping[str, Path]) -> dict[str, GivenMask]:
    """Like :func:`first_masks`, reading the masks unless there is one alone.

    Raises:
      ValueError: see :func:`~mavos_jax.media.decoding.read_values` and :func:`first_masks`.
    """
    if len(masks) == 1:
        return {name: GivenMask(path) for name, path in masks.items()}
    return first_masks(masks, ids_by_frame(masks))
