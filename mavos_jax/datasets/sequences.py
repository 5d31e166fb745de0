"""The sequences of a data set: the folders in which one must lie, and the files that one has."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Generic, Literal, NamedTuple, TypeVar, overload

from mavos_jax.media.folders import natural_order
from mavos_jax.media.pictures import DamagedSample, File
from mavos_jax.runtime.files import is_endless, short_hash

_Key = TypeVar("_Key")

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
class FilesInOrder(Sequence[Path]):
    """Files of one folder, kept by name: a set has many, and goes to every loader process."""

    folder: Path
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> Path: ...
    @overload
    def __getitem__(self, index: slice) -> FilesInOrder: ...
    def __getitem__(self, index: int | slice) -> Path | FilesInOrder:
        if isinstance(index, slice):
            return FilesInOrder(self.folder, self.names[index])
        return self.folder / self.names[index]


@dataclasses.dataclass(frozen=True, eq=False)
class FilesByKey(Mapping[_Key, Path], Generic[_Key]):
    """Files of one folder under keys, also kept by name."""

    folder: Path
    names: Mapping[_Key, str]

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[_Key]:
        return iter(self.names)

    def __contains__(self, key: object) -> bool:
        return key in self.names

    def __getitem__(self, key: _Key) -> Path:
        return self.folder / self.names[key]


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
    frames: Sequence[Path]
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

    def mask_path(self, index: int) -> Path:
        """The true mask of a frame; where it should be if it is not there."""
        if index in self.truth:
            return self.truth[index]
        return next(iter(self.truth.values())).with_name(f"{self.frame_name(index)}.png")

    def frame(self, index: int) -> File:
        """Reads the image of a frame; raises :class:`DamagedSample` where there is none."""
        return _read(self.frames[index], f"the frame of {self.mask_path(index)}")

    def mask(self, index: int) -> File:
        """Reads the true mask of a frame; raises :class:`DamagedSample` where there is none."""
        return _read(self.mask_path(index), f"the mask of {self.frames[index]}")

    def __len__(self) -> int:
        return len(self.frames)

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


def _read(path: Path, purpose: str) -> File:
    try:
        if is_endless(path):
            raise DamagedSample(f"{path}: expected {purpose}, found a pipe or a device")
        return File(str(path), path.read_bytes())
    except FileNotFoundError as error:
        raise DamagedSample(f"{path}: expected {purpose}, found no such file") from error
    except OSError as error:
        raise DamagedSample(f"{path}: expected {purpose}, found: {error.strerror}") from error
