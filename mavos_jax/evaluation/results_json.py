"""Masks as one JSON file in the form of YouTube-VIS results, with COCO's run-length encoding.

A mask is read down its columns, as the lengths of its runs: zeros, ones, and so on, from the fourth
on as differences to the run before the last. A character holds five bits, the lowest first.
"""

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mavos_jax.evaluation.reading import read_result
from mavos_jax.media.ids import object_ids
from mavos_jax.media.results import marked_json
from mavos_jax.runtime.files import written_whole

RESULTS_JSON = "results.json"


def write_results_json(path: Path, videos: Mapping[str, Sequence[Path]]) -> None:
    """Writes a record for each object of each video, which has masks in the order of frames."""
    lines = [
        json.dumps(record)
        for number, (name, masks) in enumerate(videos.items(), start=1)
        for record in _records(number, name, masks)
    ]
    with written_whole(path) as temporary:
        temporary.write_text(marked_json(path.stem, "[\n" + ",\n".join(lines) + "\n]\n"))


def _records(number: int, name: str, masks: Sequence[Path]) -> Iterator[dict[str, Any]]:
    found: dict[int, dict[int, Any]] = {}
    for index, path in enumerate(masks):
        ids, _ = read_result(path)
        for object_id in object_ids(ids):
            entry = {"size": list(ids.shape), "counts": encode_rle(ids == object_id)}
            found.setdefault(object_id, {})[index] = entry
    for object_id, entries in sorted(found.items()):
        yield {
            "video_id": number,
            "video": name,
            "object_id": object_id,
            "category_id": 1,
            "score": 1.0,
            "frames": [path.stem for path in masks],
            "segmentations": [entries.get(index) for index in range(len(masks))],
        }


_FIRST_CHARACTER = 48
_BITS = 5
_GOES_ON, _SIGN = 32, 16


def encode_rle(mask: np.ndarray) -> str:
    """Returns the compressed run lengths of a mask, bool [H, W]."""
    pixels = mask.ravel(order="F")
    ends = [0, *(np.flatnonzero(pixels[1:] != pixels[:-1]) + 1).tolist(), pixels.size]
    runs = [end - start for start, end in itertools.pairwise(ends)]
    if pixels[0]:
        runs.insert(0, 0)
    differences = [*runs[:3], *(run - runs[i + 1] for i, run in enumerate(runs[3:]))]
    return "".join(character for value in differences for character in _characters(value))


def _characters(value: int) -> Iterator[str]:
    while True:
        group = value & (_GOES_ON - 1)
        value >>= _BITS
        is_last = value == (-1 if group & _SIGN else 0)
        yield chr(_FIRST_CHARACTER + group + (0 if is_last else _GOES_ON))
        if is_last:
            return
