"""What the folders, lists and metadata of a data set say, and the sequences made from that."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from mavos_jax.datasets.dataset import BenchmarkSequence, GivenMask
from mavos_jax.datasets.listing import describe_folder, name_some
from mavos_jax.datasets.metadata import ListedObject
from mavos_jax.datasets.names import read_lines, require_name
from mavos_jax.media.folders import MASK_SUFFIXES, frames_by_stem, images_by_stem, natural_order


class SequenceFolders(NamedTuple):
    """Where the files of one sequence must lie.

    Attributes:
      name: of the sequence.
      frames: the folder of its images.
      masks: the folder of the masks to start from.
      truth: the folder of the masks to score against, most often the same.
      objects: what metadata say of its objects, by id; empty where there are none.
    """

    name: str
    frames: Path
    masks: Path
    truth: Path
    objects: Mapping[int, ListedObject] = {}

    @property
    def listed(self) -> tuple[str, ...]:
        """The names of all frames that metadata list, in natural order."""
        names = {name for o in self.objects.values() for name in o.frames}
        return tuple(sorted(names, key=natural_order))


@dataclasses.dataclass(frozen=True)
class Layout:
    """A data set whose sequences are named, and none of them opened.

    Attributes:
      origin: the list, metadata or folder that names the sequences.
      sequences: in natural order of their names.
      open_sequence: lists the files of one of them; raises ValueError where some are missing.
      is_labelled: whether masks are public for every frame that counts.
      is_exhaustive: whether all folders beside those of the sequences belong to the split.
      is_gapless: whether the numbers of frames rise by one step throughout a sequence.
      is_binary: see :class:`~mavos_jax.datasets.dataset.Benchmark`.
      output_height: likewise.
      may_start_empty: whether masks before the first with an object are passed over.
      oddities: lines that say what is odd about its lists or metadata, and no obstacle.
    """

    origin: Path
    sequences: tuple[SequenceFolders, ...]
    open_sequence: Callable[[SequenceFolders], BenchmarkSequence]
    is_labelled: bool
    is_exhaustive: bool
    is_gapless: bool
    is_binary: bool = False
    output_height: int | None = None
    may_start_empty: bool = False
    oddities: tuple[str, ...] = ()


def find_repeated(path: Path) -> tuple[str, ...]:
    """Says which lines of a list are there more than once; what they name is one sequence."""
    counts = Counter(read_lines(path))
    return tuple(
        f"{path}: expected each name once, found {line} {count} times; it counts once, remove the "
        "others, or restore the names that they replace"
        for line, count in counts.items()
        if count > 1
    )


def list_frames(sequence: SequenceFolders) -> dict[str, Path]:
    """Lists the images of a sequence by their names without suffix, in natural order.

    Raises:
      ValueError: there is none, two have one name, or one has an odd name.
    """
    images = frames_by_stem(sequence.frames)
    for stem in images:
        require_name(sequence.frames, stem, is_nested=False)
    if not images:
        raise ValueError(
            f"{sequence.frames}: expected the frames of {sequence.name} (.jpg or .png), found "
            f"{describe_folder(sequence.frames)}"
        )
    return {stem: sequence.frames / name for stem, name in images.items()}


def list_masks(folder: Path) -> dict[str, Path]:
    """Lists the masks of a folder, none where it is not there, in natural order."""
    return {stem: folder / name for stem, name in images_by_stem(folder, MASK_SUFFIXES).items()}


def list_start_masks(sequence: SequenceFolders, images: Mapping[str, Path]) -> dict[str, Path]:
    """Lists the masks of a sequence that may be started from, each of which belongs to a frame.

    Args:
      sequence: where they lie.
      images: its frames by name.

    Raises:
      ValueError: there is no mask, or one belongs to no frame.
    """
    masks = list_masks(sequence.masks)
    if not masks:
        raise ValueError(
            f"{sequence.masks}: expected the first mask of {sequence.name} (.png), found "
            f"{describe_folder(sequence.masks)}"
        )
    stray = next((path for name, path in masks.items() if name not in images), None)
    if stray is not None:
        raise ValueError(describe_stray(sequence, stray))
    return masks


def describe_stray(sequence: SequenceFolders, mask: Path) -> str:
    """Says that a mask belongs to no frame."""
    return (
        f"{mask}: expected the name of a frame in {sequence.frames}, found no such frame; "
        "restore the frame or remove the mask"
    )


def require_frames(
    sequence: SequenceFolders, images: Mapping[str, Path], names: Iterable[str], origin: Path
) -> None:
    """Raises ValueError unless all frames that ``origin`` names are there."""
    missing = [name for name in names if name not in images]
    if missing:
        raise ValueError(
            f"{sequence.frames}: expected the frames that {origin} lists, found none for "
            f"{len(missing)}: {name_some(missing)}; restore them, or the list that belongs to them"
        )


def require_all_or_first(
    folder: Path, masks: Mapping[str, Path], names: Sequence[str], given: Iterable[str]
) -> None:
    """Raises ValueError if only some frames beyond those with given masks have one.

    Args:
      folder: of the masks.
      masks: those that are there, by name.
      names: frames that have one where labels are public.
      given: frames with masks that are given.
    """
    missing = [name for name in names if name not in masks]
    if missing and set(masks).intersection(names) - set(given):
        raise ValueError(
            f"{folder}: expected masks of all {len(names)} frames, or first masks alone, found "
            f"none for {len(missing)}: {name_some(missing)}; restore them"
        )


def listed_masks(
    sequence: SequenceFolders, masks: Mapping[str, Path], origin: Path
) -> dict[str, GivenMask]:
    """Gives each listed object's mask at its first frame, by name.

    Raises:
      ValueError: there is no such mask.
    """
    starts: dict[str, list[int]] = {}
    for number, listed in sorted(sequence.objects.items()):
        starts.setdefault(listed.frames[0], []).append(number)
    for name, numbers in starts.items():
        if name not in masks:
            raise ValueError(
                f"{sequence.masks / name}.png: expected the first mask of object "
                f"{' and '.join(map(str, numbers))}, which {origin} starts there, found no such "
                "file; restore it, or the list that belongs to the masks"
            )
    return {name: GivenMask(masks[name], tuple(ids)) for name, ids in starts.items()}


def build_sequence(
    sequence: SequenceFolders,
    images: Mapping[str, Path],
    given: Mapping[str, GivenMask],
    truth: Mapping[str, Path],
    saved: Iterable[str] | None = None,
) -> BenchmarkSequence:
    """Counts frames, which layouts name, from the one of the first given mask on.

    Args:
      sequence: its name and objects; frames in which they count are among the images.
      images: in order.
      given: masks to start from, at least one.
      truth: masks to score against; none of them counts if all belong to frames with given ones.
      saved: frames whose masks make up a result; all by default.
    """
    names = list(images)
    names = names[min(names.index(name) for name in given) :]
    index = {name: i for i, name in enumerate(names)}
    if not set(truth) - set(given):
        truth = {}
    return BenchmarkSequence(
        name=sequence.name,
        frames=tuple(images[name] for name in names),
        given={index[name]: given[name] for name in names if name in given},
        truth={index[name]: truth[name] for name in names if name in truth},
        saved=tuple(sorted(index[name] for name in (names if saved is None else saved))),
        spans={
            number: tuple(index[name] for name in listed.frames)
            for number, listed in sorted(sequence.objects.items())
        },
        categories={
            number: listed.category
            for number, listed in sorted(sequence.objects.items())
            if listed.category is not None
        },
        declared_frames={
            number: listed.declared
            for number, listed in sorted(sequence.objects.items())
            if listed.declared is not None
        },
    )
