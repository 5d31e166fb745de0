"""What is wrong or odd about the pixels of a mask file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mavos_jax.config import IGNORED
from mavos_jax.data.sets.metadata import ListedObject
from mavos_jax.media.decoding import read_ids
from mavos_jax.media.frames import describe_size
from mavos_jax.media.masks import present_ids, smoothed_ids


class MaskContext(NamedTuple):
    """What a mask must agree with.

    Attributes:
      size: the height and width that it must have, in pixels; None where no frame tells.
      is_start: whether objects are taken from it.
      is_binary: whether everything that is not 0 is one object.
      objects: what metadata say of the sequence's objects, by id; empty where there are none.
      origin: of the metadata.
    """

    size: tuple[int, int] | None
    is_start: bool
    is_binary: bool
    objects: Mapping[int, ListedObject]
    origin: Path


def find_mask_faults(path: Path, context: MaskContext) -> list[str]:
    """Reads a mask and says in a line each what is wrong with its format, size and ids."""
    try:
        values = read_ids(path)
    except ValueError as error:
        return [str(error)]
    lines = []
    size = values.shape[0], values.shape[1]
    if context.size is not None and size != context.size:
        lines.append(
            f"{path}: expected a mask of {describe_size(context.size)} as its frame, found "
            f"{describe_size(size)}; draw it on the frame, or resize it with nearest neighbours"
        )
    outline_ids = smoothed_ids(values)
    if outline_ids:
        lines.append(
            f"{path}: expected one id an object, found {len(outline_ids)} ids on outlines alone, "
            "as anti-aliasing or compression leaves them; draw and resize masks without smoothing"
        )
        return lines
    if context.is_binary:
        if context.is_start and not values.any():
            lines.append(_empty(path))
        return lines
    return lines + _id_faults(path, values, context)


def _id_faults(path: Path, values: np.ndarray, context: MaskContext) -> list[str]:
    ids = present_ids(values)
    if not ids and (values == IGNORED).any():
        return [
            f"{path}: expected ids 1, 2, ..., found only 0 and 255, which marks pixels to ignore; "
            "save the object as 1"
        ]
    if not ids and context.is_start:
        return [_empty(path)]
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


def _empty(path: Path) -> str:
    return (
        f"{path}: expected an object to start from, found an empty mask (only 0); draw the objects "
        "with the ids 1, 2, ..."
    )


def _join(ids: Mapping[int, ListedObject] | list[int] | tuple[int, ...]) -> str:
    return ", ".join(str(number) for number in sorted(ids)) or "none"
