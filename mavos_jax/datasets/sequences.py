"""The sequences of a data set: their folders, and the files in them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Literal, NamedTuple, TypeVar, overload

from mavos_jax.media.folders import natural_order
from mavos_jax.media.pictures import EXHAUSTED, DamagedSample, File
from mavos_jax.runtime.files import is_endless, short_hash

_Key = TypeVar("_Key")

Starts = Literal["first frame", "first mask", "first object", "new ids", "listed"]
"""Which masks are given: the first frame's, the first there is, the first that is not empty, each
that shows new objects, or each object's at its first listed frame."""


class ListedObject(NamedTuple):
    """What metadata say about an object: the frames in which it counts, ascending, and how many."""

    frames: tuple[str, ...] = ()
    category: str | None = None
    declared: int | None = None


class SequenceFolders(NamedTuple):
    """The folders of a sequence: images, masks to start from, masks to score against."""

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


def sequences_below(
    frames: Path,
    masks: Path,
    names: Iterable[str],
    objects: Mapping[str, Mapping[int, ListedObject]] = {},
) -> tuple[SequenceFolders, ...]:
    """The sequences whose folders have their names, below the folders of all frames and masks."""
    return tuple(
        SequenceFolders(name, frames / name, masks / name, masks / name, objects.get(name, {}))
        for name in names
    )


@dataclass(frozen=True)
class Layout:
    """A data set whose sequences have been named; none has been opened."""

    origin: Path  # the list, metadata or folder that names the sequences
    sequences: tuple[SequenceFolders, ...]  # in natural order of their names
    starts: Starts
    frames: Literal["all", "listed", "between"] = "all"  # which images; or all between the listed
    saves_labelled: bool = False  # whether a result has only the masks of labelled frames
    is_labelled: bool = False  # whether masks are public for every frame that counts
    is_exhaustive: bool = True  # whether all folders beside the sequences belong to the split
    is_gapless: bool = True  # whether the numbers of frames rise by one step throughout a sequence
    # Masks may be empty and of any frames; they are truth if they show every object more than once.
    is_loose: bool = False
    output_height: int | None = None  # see ``Benchmark``
    num_left_out: int = 0  # videos or images that are unfit for training
    oddities: tuple[str, ...] = ()  # lines about odd lists or metadata that prevent nothing


@dataclass(frozen=True)
class FilesInOrder(Sequence[Path]):
    """Files of one folder, kept by name: a set has many and is sent to every loader process."""

    folder: Path
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> Path: ...
    @overload
    def __getitem__(self, index: slice) -> "FilesInOrder": ...
    def __getitem__(self, index: int | slice) -> "Path | FilesInOrder":
        if isinstance(index, slice):
            return FilesInOrder(self.folder, self.names[index])
        return self.folder / self.names[index]


@dataclass(frozen=True, eq=False)
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


@dataclass(frozen=True)
class GivenMask:
    """An annotation to start from, and the new objects to take from it; None takes all."""

    path: Path
    ids: tuple[int, ...] | None = None


@dataclass(frozen=True)
class SequenceFiles:
    """The files of a sequence. Benchmarks count frames from the first given mask on."""

    name: str
    frames: Sequence[Path]  # its images, in order
    given: Mapping[int, GivenMask] = field(default_factory=dict)  # by frame, 0 too; not in training
    truth: Mapping[int, Path] = field(default_factory=dict)  # annotations to compare with, by frame
    saved: tuple[int, ...] = ()  # frames whose masks make up a result, ascending; empty in training
    spans: Mapping[int, tuple[int, ...]] = field(default_factory=dict)  # listed frames, by object
    categories: Mapping[int, str] = field(default_factory=dict)  # by object, if metadata has them
    declared_frames: Mapping[int, int] = field(default_factory=dict)  # stated by LVOS, by object
    num_unmasked: int = 0  # images that training leaves out because they have no mask

    def frame_name(self, index: int) -> str:
        """The name that masks of a frame carry."""
        return self.frames[index].stem

    def mask_path(self, index: int) -> Path:
        """The true mask of a frame; where it should be if it is not there."""
        if index in self.truth:
            return self.truth[index]
        return next(iter(self.truth.values())).with_name(f"{self.frame_name(index)}.png")

    def frame(self, index: int) -> File:
        """Reads the image of a frame; raises :class:`DamagedSample` if there is none."""
        return _read(self.frames[index], f"the frame of {self.mask_path(index)}")

    def mask(self, index: int) -> File:
        """Reads the true mask of a frame; raises :class:`DamagedSample` if there is none."""
        return _read(self.mask_path(index), f"the mask of {self.frames[index]}")

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def has_truth(self) -> bool:
        """Whether it can be scored: it has truth beyond the given masks."""
        return bool(set(self.truth) - set(self.given))

    def fingerprint(self) -> str:
        """A short hash of the frames' names and sizes, the masks' bytes, and the metadata."""
        given = sorted((t, mask.ids) for t, mask in self.given.items())
        listed = (self.spans, self.categories, self.declared_frames)
        said = (self.name, self.saved, given, [sorted(by_id.items()) for by_id in listed])
        masks = [(t, self.given[t].path) for t, _ in given] + sorted(self.truth.items())

        def parts() -> Iterator[str | bytes]:
            yield repr(said)
            for path in self.frames:
                yield f"{path.name} {path.stat().st_size}\n"
            for frame, path in dict.fromkeys(masks):  # most given masks are the truth as well
                content = path.read_bytes()
                yield f"{frame} {path.name} {len(content)}\n"
                yield content

        return short_hash(parts())


def _read(path: Path, purpose: str) -> File:
    try:
        if is_endless(path):
            raise DamagedSample(f"{path}: expected {purpose}, found a pipe or a device")
        return File(str(path), path.read_bytes())
    except OSError as error:
        if error.errno in EXHAUSTED:
            raise
        raise DamagedSample(f"{path}: expected {purpose}, found: {error.strerror}") from error
