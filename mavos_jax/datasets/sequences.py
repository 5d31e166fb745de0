"""The sequences of a data set: the folders in which one must lie, and the files that one has."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from mavos_jax.media.folders import natural_order
from mavos_jax.runtime.checksums import short_hash

Starts = Literal["first frame", "first mask", "first object", "new ids", "listed"]
"""Which masks are given: that of the first frame, the first one there is, the first one that is not
empty, each one that shows new objects, or each object's at its first listed frame."""


class ListedObject(NamedTuple):
    """What metadata say of an object.

    Attributes:
      frames: names of the frames in which it counts, ascending; its mask is given at the first.
      category: None where nothing tells.
      declared: how many frames the metadata count, None where they do not.
    """

    frames: tuple[str, ...] = ()
    category: str | None = None
    declared: int | None = None


class SequenceFolders(NamedTuple):
    """Where the files of a sequence must lie.

    Attributes:
      name: in lists, folders of results, and tables.
      frames: the folder of its images.
      masks: the folder of the masks to start from.
      truth: the folder of the masks to score against; None where there are none.
      objects: what metadata say of its objects, by id; empty without metadata.
    """

    name: str
    frames: Path
    masks: Path
    truth: Path | None
    objects: Mapping[int, ListedObject] = {}

    @property
    def listed(self) -> tuple[str, ...]:
        """The names of all frames that metadata list, in natural order."""
        names = {name for listed in self.objects.values() for name in listed.frames}
        return tuple(sorted(names, key=natural_order))


@dataclasses.dataclass(frozen=True)
class Layout:
    """A data set whose sequences have been named; none has been opened.

    Attributes:
      origin: the list, metadata or folder that names the sequences.
      sequences: in natural order of their names.
      starts: which masks are given.
      frames: which images are taken: all, the listed ones, or all between these.
      saves_labelled: whether the masks of labelled frames make up a result, not those of all.
      is_labelled: whether masks are public for every frame that counts.
      is_exhaustive: whether all folders beside those of the sequences belong to the split.
      is_gapless: whether the numbers of frames rise by one step throughout a sequence.
      is_loose: whether masks may start empty and be of any frames; they are truth only if they
        show every object more than once.
      output_height: see :class:`~mavos_jax.datasets.dataset.Benchmark`.
      num_left_out: videos, or images, that the set's rules exclude from training.
      oddities: lines about what is odd in its lists or metadata, and no obstacle.
    """

    origin: Path
    sequences: tuple[SequenceFolders, ...]
    starts: Starts
    frames: Literal["all", "listed", "between"] = "all"
    saves_labelled: bool = False
    is_labelled: bool = False
    is_exhaustive: bool = True
    is_gapless: bool = True
    is_loose: bool = False
    output_height: int | None = None
    num_left_out: int = 0
    oddities: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class GivenMask:
    """An annotation that segmentation starts from.

    Attributes:
      path: an indexed PNG.
      ids: the objects to take from it, those that are new there; None takes all of them.
    """

    path: Path
    ids: tuple[int, ...] | None = None


@dataclasses.dataclass(frozen=True)
class SequenceFiles:
    """The files of a sequence. Benchmarks count frames from the first given mask on.

    Attributes:
      name: in lists, folders of results, and tables.
      frames: its images, in order.
      given: annotations to start from, by frame; 0 is there. Empty in training.
      truth: all annotations to compare with, by frame; empty where labels are not public.
      saved: frames whose masks make up a result, ascending. Empty in training.
      spans: the frames of each object that metadata list, by its id.
      categories: of the objects, by id, where metadata name them.
      declared_frames: for LVOS, how many frames the metadata count of each object, by its id; it
        may differ from the length of its span.
      num_unmasked: images that training leaves out because they have no mask.
    """

    name: str
    frames: tuple[Path, ...]
    given: Mapping[int, GivenMask] = dataclasses.field(default_factory=dict)
    truth: Mapping[int, Path] = dataclasses.field(default_factory=dict)
    saved: tuple[int, ...] = ()
    spans: Mapping[int, tuple[int, ...]] = dataclasses.field(default_factory=dict)
    categories: Mapping[int, str] = dataclasses.field(default_factory=dict)
    declared_frames: Mapping[int, int] = dataclasses.field(default_factory=dict)
    num_unmasked: int = 0

    def frame_name(self, index: int) -> str:
        """The name that masks of a frame carry: its file's, without suffix."""
        return self.frames[index].stem

    @property
    def has_truth(self) -> bool:
        """Whether it can be scored: it has truth beyond the given masks."""
        return bool(set(self.truth) - set(self.given))

    def fingerprint(self) -> str:
        """A short hash of the frames' names and sizes, the masks' bytes, and the metadata.

        Masks count by their content, since one of the same size is easily drawn anew; they are
        small. Where the files lie and when they were written does not matter.
        """
        given = sorted((t, mask.ids) for t, mask in self.given.items())
        listed = (self.spans, self.categories, self.declared_frames)
        said = (self.name, self.saved, given, [sorted(by_id.items()) for by_id in listed])
        masks = [(t, self.given[t].path) for t, _ in given] + sorted(self.truth.items())

        def parts() -> Iterator[str | bytes]:
            yield repr(said)
            for path in self.frames:
                yield f"{path.name} {path.stat().st_size}\n"
            # Most given masks are the truth of their frame, too.
            for frame, path in dict.fromkeys(masks):
                content = path.read_bytes()
                yield f"{frame} {path.name} {len(content)}\n"
                yield content

        return short_hash(parts())
