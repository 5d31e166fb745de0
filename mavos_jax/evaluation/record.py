"""What segmenting a sequence took, as recorded on disk, and the speed over a set."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mavos_jax.runtime.untrusted import typed

_TEXTS = ("name", "data")
_NUMBERS = ("num_frames", "num_objects", "height", "width")


@dataclasses.dataclass(frozen=True)
class SequenceRecord:
    """What segmenting a sequence took."""

    name: str
    data: str  # fingerprint of the sequence's files
    num_frames: int
    num_objects: int
    height: int
    width: int
    compilation_seconds: float  # not contained in any timing
    timings: Mapping[str, tuple[int, float]]  # frames and seconds: "end-to-end", "aot", "xmem"
    memory: tuple[str, int]  # what was measured, and the peak until then in bytes
    # Checksum of each mask's file by frame name.
    masks: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def speeds(self) -> dict[str, float]:
        """Frames per second by protocol."""
        return {name: frames / seconds for name, (frames, seconds) in self.timings.items()}

    def __str__(self) -> str:
        speeds = ", ".join(f"{value:.2f} ({name})" for name, value in self.speeds.items())
        return (
            f"{self.name}: {self.num_frames} frames of {self.height}x{self.width}, "
            f"{self.num_objects} objects, FPS {speeds}, tracing and compilation "
            f"{self.compilation_seconds:.1f} s"
        )


def parse_record(content: Any) -> SequenceRecord:
    """Makes a record of JSON values; raises ValueError if they are unfit."""
    try:
        fields: dict[str, Any] = {name: typed(content[name], str) for name in _TEXTS}
        fields |= {name: typed(content[name], int) for name in _NUMBERS}
        fields["compilation_seconds"] = typed(content["compilation_seconds"], float)
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
        raise ValueError(f"expected the record of a finished sequence, found {error!r}") from error
    return SequenceRecord(**fields, timings=timings, memory=memory, masks=masks)


class Speed(NamedTuple):
    """Frames per second over a set: all frames by all seconds; 1 / the sequences' mean s/frame."""

    all_frames: float
    all_sequences: float


def set_speeds(records: Iterable[SequenceRecord]) -> dict[str, Speed]:
    """Returns the speeds over a set by every protocol that all sequences have."""
    timings = [record.timings for record in records]
    speeds = {}
    for name in timings[0] if timings else ():
        if all(name in timing for timing in timings):
            frames, seconds = np.array([timing[name] for timing in timings], np.float64).T
            all_sequences = 1 / float((seconds / frames).mean())
            speeds[name] = Speed(float(frames.sum() / seconds.sum()), all_sequences)
    return speeds


def highest_peak(records: Sequence[SequenceRecord]) -> tuple[str, int]:
    """Returns what was measured of memory, in words, and its highest peak in bytes."""
    return max((record.memory for record in records), key=lambda memory: memory[1])
