"""Masks as one JSON file in the form of YouTube-VIS results, with COCO's run-length encoding."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mavos_jax.evaluation.reading import read_result
from mavos_jax.media.ids import object_ids
from mavos_jax.media.marks import marked_json
from mavos_jax.media.rle import encode_rle
from mavos_jax.runtime.files import written_whole

RESULTS_JSON = "results.json"


def write_results_json(path: Path, videos: Mapping[str, Sequence[Path]]) -> None:
    """Writes the masks of videos, given as files in the order of frames by the video's name.

    Every object of every video gives a record: ``video_id`` counts the videos from 1, ``video`` and
    ``object_id`` tell which they are, ``category_id`` and ``score`` are 1, and ``segmentations``
    holds an entry for each mask, null where the object is not seen.
    """
    lines = [
        json.dumps(record)
        for number, (name, masks) in enumerate(videos.items(), start=1)
        for record in _records(number, name, masks)
    ]
    with written_whole(path) as temporary:
        temporary.write_text(marked_json(path.stem, "[\n" + ",\n".join(lines) + "\n]\n"))


def _records(number: int, name: str, masks: Sequence[Path]) -> Iterator[dict[str, Any]]:
    """Yields a record for each object of a video."""
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
            "segmentations": [entries.get(index) for index in range(len(masks))],
        }
