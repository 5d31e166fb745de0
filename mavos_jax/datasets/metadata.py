"""Metadata: videos, their objects, and the frames of these."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mavos_jax.config import MAX_ID
from mavos_jax.datasets.listing import BadName, describe_folder, require_name
from mavos_jax.datasets.sequences import ListedObject
from mavos_jax.media.folders import natural_order
from mavos_jax.runtime.untrusted import read_json, shortened

_WHOLE = re.compile("[0-9]{1,8}")


VideoObjects = dict[str, dict[int, ListedObject]]
"""Objects by id, by video."""


def read_metadata(
    path: Path,
    parse: Callable[[str, Any], ListedObject],
    *,
    expected: str,
    allow_empty: bool = False,
    allow_ids: bool = False,
) -> VideoObjects:
    """Reads ``videos.<video>.objects.<id>``, videos in natural order.

    Args:
      path: the JSON file.
      parse: makes an object from the name of its video and its value, or raises.
      expected: what an object's value holds, in words.
      allow_empty: whether videos may have no objects, and objects no frames.
      allow_ids: whether the objects of a video may be a list of ids; their values are then None.

    Raises:
      ValueError: the file is missing or damaged, or lists what cannot be.
    """
    if not path.is_file():
        raise ValueError(
            f"{path}: expected the list of videos and objects, found no such file; "
            f"{path.parent} holds {describe_folder(path.parent)}"
        )
    content = read_json(path)
    try:
        videos = content["videos"].items()
        read = {
            name: _read_objects(path, name, video["objects"], parse, allow_ids)
            for name, video in videos
        }
    except BadName:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        found = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        raise ValueError(
            f"{path}: expected videos.<video>.objects.<id>.{expected}, found {found}; restore the "
            "file"
        ) from error
    if not read:
        raise ValueError(
            f"{path}: expected videos, found none; restore the file that belongs to the frames"
        )
    for name, objects in read.items():
        if not objects and not allow_empty:
            raise ValueError(f"{path}: expected objects of every video, found none of {name}")
        for number, listed in objects.items():
            if not 1 <= number <= MAX_ID:
                raise ValueError(
                    f"{path}: expected ids from 1 to {MAX_ID}, found {number} in {name}"
                )
            if not listed.frames and not allow_empty:
                raise ValueError(
                    f"{path}: expected frames of every object, found none of {number} in {name}"
                )
    return dict(sorted(read.items(), key=lambda item: natural_order(item[0])))


def parse_frames(path: Path, value: Any) -> ListedObject:
    """Reads an object whose value lists its ``frames``, and may name its ``category``."""
    frames, category = value["frames"], value.get("category")
    if not isinstance(frames, list) or not all(isinstance(name, str) for name in frames):
        raise ValueError(f"frames {shortened(frames)}, which is no list of texts")
    if not isinstance(category, str | None):
        raise ValueError(f"category {shortened(category)}, which is no text")
    for name in frames:
        require_name(path, name, is_nested=False)
    return ListedObject(tuple(sorted(set(frames), key=natural_order)), category)


def whole_number(value: Any) -> int:
    """Reads a whole number of up to eight digits, which may be a text, or raises ValueError."""
    digits = str(value) if isinstance(value, int | str) else ""
    if not _WHOLE.fullmatch(digits):
        raise ValueError(f"{shortened(value)}, which is no whole number of up to eight digits")
    return int(digits)


def _read_objects(
    path: Path,
    video: str,
    objects: Any,
    parse: Callable[[str, Any], ListedObject],
    allow_ids: bool,
) -> dict[int, ListedObject]:
    require_name(path, video)
    if allow_ids and isinstance(objects, list):
        objects = dict.fromkeys(objects)
    read = {whole_number(number): parse(video, value) for number, value in objects.items()}
    if len(read) < len(objects):
        raise ValueError(f"two keys for one id in {video}")
    return read
