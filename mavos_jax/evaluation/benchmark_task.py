"""A sequence of a benchmark that is ready to be segmented: its given masks have been checked."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from mavos_jax.datasets import Benchmark, BenchmarkSequence
from mavos_jax.evaluation.reading import (
    input_size,
    output_size,
    read_frame,
    read_given,
    shrink_mask,
)
from mavos_jax.inference.geometry import Augmentation, Sizes, geometries, padded_size
from mavos_jax.inference.objects import num_groups, num_identities
from mavos_jax.media.decoding import read_frame_header
from mavos_jax.media.masks import object_ids
from mavos_jax.media.pictures import describe_size
from mavos_jax.models.mavos import MAVOS


@dataclasses.dataclass(frozen=True)
class GivenMasks(Mapping[int, np.ndarray]):
    """The given masks of a sequence but the first, read each time they are asked for.

    Attributes:
      benchmark: the set.
      sequence: the sequence.
      stored: height and width of the stored frames, in pixels.
    """

    benchmark: Benchmark
    sequence: BenchmarkSequence
    stored: tuple[int, int]

    def __getitem__(self, index: int) -> np.ndarray:
        ids, _ = read_given(self.benchmark, self.sequence, index, self.stored)
        return shrink_mask(ids, output_size(self.benchmark, self.stored))

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(index for index in self.sequence.given if index))

    def __len__(self) -> int:
        return len(self.sequence.given) - 1


@dataclasses.dataclass(frozen=True)
class SequenceTask:
    """A sequence whose given masks have been checked.

    Attributes:
      benchmark: the set.
      sequence: the sequence.
      stored: height and width of its frames, in pixels.
      sizes: at which frames are taken and masks come out.
      data: fingerprint of its files.
      counts: objects in play from the first frame on and after each later given mask.
    """

    benchmark: Benchmark
    sequence: BenchmarkSequence
    stored: tuple[int, int]
    sizes: Sizes
    data: str
    counts: tuple[int, ...]

    @classmethod
    def open(
        cls, benchmark: Benchmark, sequence: BenchmarkSequence, num_objects: int | None = None
    ) -> SequenceTask:
        """Reads the given masks of a sequence, and the header of its first frame.

        Raises:
          ValueError: a mask or the frame cannot be used; the message names the file.
        """
        stored = read_frame_header(sequence.frames[0]).size
        known: set[int] = set()
        counts = []
        for index in sorted(sequence.given):
            found = object_ids(read_given(benchmark, sequence, index, stored)[0])
            _require_objects(sequence, index, found)
            _require_ids_up_to(num_objects, sequence, index, found)
            known.update(found)
            counts.append(num_objects or len(known))
        sizes = Sizes(input_size(benchmark, stored), output_size(benchmark, stored))
        if num_objects is not None and num_objects > max(known) and sequence.has_truth:
            raise ValueError(
                f"{sequence.name}: expected --num_objects of at most {max(known)}, its highest id, "
                f"got {num_objects}; scorers refuse ids that no object has"
            )
        return cls(benchmark, sequence, stored, sizes, sequence.fingerprint(), tuple(counts))

    def frame(self, index: int) -> np.ndarray:
        """Reads a frame, uint8 RGB [H, W, 3], at the size that frames are taken at.

        Raises:
          ValueError: it cannot be read or has another size; sizes are compared before pixels are
            decoded.
        """
        path = self.sequence.frames[index]
        size = read_frame_header(path).size
        if size != self.stored:
            raise ValueError(
                f"{path}: expected {describe_size(self.stored)} as {self.sequence.frames[0].name}, "
                f"found {describe_size(size)}; all frames must have one size"
            )
        return read_frame(self.benchmark, path)

    def programs(self, model: MAVOS, augmentation: Augmentation) -> frozenset[tuple[Any, ...]]:
        """Returns what the sequence's compiled programs depend on."""
        views = geometries(model.config, self.sizes, augmentation)
        sizes = (padded_size(self.sizes.frame), *(view.network_size for view in views))
        output = padded_size(self.sizes.output)
        return frozenset((sizes, output, num_groups(n), num_identities(n)) for n in self.counts)


def _require_objects(sequence: BenchmarkSequence, index: int, found: tuple[int, ...]) -> None:
    given = sequence.given[index]
    missing = () if given.ids is None else set(given.ids) - set(found)
    if missing or not found:
        wanted = ", ".join(map(str, sorted(missing))) or "at least one object"
        raise ValueError(
            f"{given.path}: expected {'the objects ' if missing else ''}{wanted} that the mask "
            f"starts, found {', '.join(map(str, found)) or 'none'}; restore the mask or the lists "
            "of the set"
        )


def _require_ids_up_to(
    num_objects: int | None, sequence: BenchmarkSequence, index: int, found: tuple[int, ...]
) -> None:
    if num_objects is not None and found[-1] > num_objects:
        raise ValueError(
            f"{sequence.given[index].path}: expected ids up to --num_objects {num_objects}, found "
            f"{found[-1]}; give a larger number, or none to number objects automatically"
        )
