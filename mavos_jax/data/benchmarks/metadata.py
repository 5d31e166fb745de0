"""The metadata of YouTube-VOS and LVOS: videos, their objects, and the frames of those."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mavos_jax.config import MAX_ID
from mavos_jax.data.benchmarks.layout import ListedObject
from mavos_jax.data.sets.listing import describe_folder
from mavos_jax.media.frames import natural_order

VideoObjects = dict[str, dict[int, ListedObject]]
"""Objects by id, by video."""


def read_metadata(
    path: Path, parse: Callable[[Any], ListedObject], *, expected: str
) -> VideoObjects:
    """Reads ``videos.<video>.objects.<id>``, videos in natural order.

    Args:
      path: the JSON file.
      parse: makes an object from its value; may raise as broken values make it do.
      expected: words for what an object's value holds.

    Raises:
      ValueError: the file is missing or damaged, it lists no video or one without objects, or an
        object has an impossible id or no frame.
    """
    if not path.is_file():
        raise ValueError(
            f"{path}: expected the list of videos and objects, found no such file; "
            f"{path.parent} holds {describe_folder(path.parent)}"
        )
    try:
        videos = json.loads(path.read_text(encoding="utf-8-sig"))["videos"]
        read = {
            str(name): {int(i): parse(value) for i, value in video["objects"].items()}
            for name, video in videos.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path}: expected videos.<video>.objects.<id>.{expected}, found "
            f"{type(error).__name__}: {error}; restore the file"
        ) from error
    if not read:
        raise ValueError(
            f"{path}: expected videos, found none; restore the file that belongs to the frames"
        )
    for name, objects in read.items():
        if not objects:
            raise ValueError(f"{path}: expected objects of every video, found none of {name}")
        for number, listed in objects.items():
            if not 1 <= number <= MAX_ID:
                raise ValueError(
                    f"{path}: expected ids from 1 to {MAX_ID}, found {number} in {name}"
                )
            if not listed.frames:
                raise ValueError(
                    f"{path}: expected frames of every object, found none of {number} in {name}"
                )
    return dict(sorted(read.items(), key=lambda item: natural_order(item[0])))
