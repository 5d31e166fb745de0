"""What is wrong or odd about the pixels of a mask file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mavos_jax.datasets.metadata import ListedObject
from mavos_jax.media.decoding import read_values
from mavos_jax.media.masks import explain_drawing, explain_emptiness, explain_fullness, object_ids
from mavos_jax.media.pictures import describe_size, explain_size


class MaskContext(NamedTuple):
    """What a mask must agree with.

    Attributes:
      size: the height and width that it must have, in pixels; None where no frame tells.
      is_start: whether objects are taken from it.
      needs_objects: whether it may not be empty.
      is_binary: whether everything that is not 0 is one object.
      objects: what metadata say of the sequence's objects, by id; empty where there are none.
      origin: of the metadata.
    """

    size: tuple[int, int] | None
    is_start: bool
    needs_objects: bool
    is_binary: bool
    objects: Mapping[int, ListedObject]
    origin: Path


def find_mask_faults(path: Path, context: MaskContext) -> list[str]:
    """Reads a mask and says in a line each what is wrong with its format, size and ids."""
    try:
        values, palette = read_values(path)
    except ValueError as error:
        return [str(error)]
    lines = []
    size = values.shape[0], values.shape[1]
    if context.size is not None and size != context.size:
        lines.append(
            f"{path}: expected a mask of {describe_size(context.size)} as its frame, found "
            f"{describe_size(size)}; {explain_size(size, context.size)}"
        )
    fault = explain_drawing(values, palette)
    if fault is None and context.is_binary and context.needs_objects:
        fault = explain_emptiness((values > 0).astype(np.uint8))
    if fault is not None:
        return [*lines, f"{path}: {fault}"]
    if context.is_binary:
        return lines
    return lines + _id_faults(path, values, context)


def _id_faults(path: Path, values: np.ndarray, context: MaskContext) -> list[str]:
    ids = object_ids(values)
    # A later mask may well be empty.
    is_wanted = context.needs_objects or values.any()
    fault = explain_emptiness(values) if is_wanted else None
    if fault is None and context.is_start:
        fault = explain_fullness(values)
    if fault is not None:
        return [f"{path}: {fault}"]
    if not context.objects:
        return []
    lines = []
    unknown = [number for number in ids if number not in context.objects]
    if unknown:
        lines.append(
            f"{path}: expected ids that {context.origin} lists ({_join(context.objects)}), found "
            f"{_join(unknown)}; take the list that belongs to the masks"
        )
    missing = [
        number
        for number, listed in sorted(context.objects.items())
        if listed.frames[0] == path.stem and number not in ids
    ]
    if missing:
        lines.append(
            f"{path}: expected object {_join(missing)}, which {context.origin} starts there, found "
            f"{_join(ids)}; take the list that belongs to the masks"
        )
    return lines


def _join(ids: Mapping[int, ListedObject] | list[int] | tuple[int, ...]) -> str:
    return ", ".join(str(number) for number in sorted(ids)) or "none"
