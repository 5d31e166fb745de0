"""The record that marks a sequence as finished: what it took, and checksums of its masks."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mavos_jax.runtime.checksums import file_checksum
from mavos_jax.runtime.files import flush
from mavos_jax.runtime.json_files import typed

_NUM_FLUSHING_THREADS = 8
_TYPES: Mapping[str, Any] = {
    "name": str,
    "data": str,
    "num_frames": int,
    "num_objects": int,
    "height": int,
    "width": int,
    "compilation_seconds": float,
}


@dataclasses.dataclass(frozen=True)
class SequenceRecord:
    """What segmenting a sequence took.

    Attributes:
      name: of the sequence.
      data: fingerprint of its files.
      num_frames: frames segmented, the first included.
      num_objects: objects in play in the end.
      height: of the masks, in pixels.
      width: of the masks, in pixels.
      compilation_seconds: spent on compilation, which no timing contains.
      timings: frames and seconds by the name of the protocol.
      memory: what was measured of memory, and the process's peak until then in bytes.
      masks: checksum of each mask's file by the name of its frame.
    """

    name: str
    data: str
    num_frames: int
    num_objects: int
    height: int
    width: int
    compilation_seconds: float
    timings: Mapping[str, tuple[int, float]]
    memory: tuple[str, int]
    masks: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def speeds(self) -> dict[str, float]:
        """Frames a second by the name of the protocol."""
        return {name: frames / seconds for name, (frames, seconds) in self.timings.items()}


def parse_record(content: Any) -> SequenceRecord:
    """Makes a record of the JSON values of one.

    Raises:
      ValueError: they are those of no record.
    """
    try:
        fields = {name: typed(content[name], kind) for name, kind in _TYPES.items()}
        timings = {
            name: (typed(frames, int), typed(seconds, float))
            for name, (frames, seconds) in content["timings"].items()
        }
        kind, num_bytes = content["memory"]
        memory = (typed(kind, str), typed(num_bytes, int))
        masks = {name: typed(checksum, str) for name, checksum in content["masks"].items()}
        if any(min(timing) <= 0 for timing in timings.values()):
            raise ValueError("a timing of nothing")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"no record of a finished sequence ({error})") from error
    return SequenceRecord(**fields, timings=timings, memory=memory, masks=masks)


def flush_masks(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Brings the masks of frames to the disk; returns the checksums of their files by name.

    Raises:
      OSError: a mask is not there, or the disk fails.
    """

    def flush_one(name: str) -> tuple[str, str]:
        flush(folder / f"{name}.png")
        return name, file_checksum(folder / f"{name}.png")

    # Together they take a tenth of the time, for the file system brings many to the disk at once.
    with ThreadPoolExecutor(_NUM_FLUSHING_THREADS) as pool:
        checksums = dict(pool.map(flush_one, names))
    flush(folder)
    return checksums
