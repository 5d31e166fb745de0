"""Pairs the frames of a sequence with its masks, for benchmarks and for training."""

import dataclasses
import functools
import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import assert_never

from mavos_jax.datasets.listing import require_name
from mavos_jax.datasets.sequences import (
    FilesByKey,
    FilesInOrder,
    GivenMask,
    Layout,
    SequenceFiles,
    SequenceFolders,
)
from mavos_jax.media.folders import (
    MASK_SUFFIXES,
    describe_folder,
    frames_by_stem,
    images_by_stem,
    name_some,
)
from mavos_jax.media.ids import object_ids
from mavos_jax.media.masks import read_values


@dataclasses.dataclass(frozen=True)
class FoundFiles:
    """The images of a sequence, the masks to start from and those to score against, by name."""

    images: FilesByKey[str]
    masks: FilesByKey[str]
    truth: FilesByKey[str]

    @functools.cached_property
    def ids(self) -> Mapping[str, tuple[int, ...]]:
        """The objects in each of ``masks``, all of which are read."""
        return {name: object_ids(read_values(path).ids) for name, path in self.masks.items()}


def find_images(folders: SequenceFolders) -> FilesByKey[str]:
    """Lists the images of a sequence by frame name, in natural order; at least one."""
    images = frames_by_stem(folders.frames)
    for stem in images:
        require_name(folders.frames, stem, is_nested=False)
    if not images:
        raise ValueError(
            f"{folders.frames}: expected the frames of {folders.name} (.jpg or .png), found "
            f"{describe_folder(folders.frames)}"
        )
    return FilesByKey(folders.frames, images)


def find_files(folders: SequenceFolders) -> FoundFiles:
    """Lists the images and masks of a sequence."""
    images, masks = find_images(folders), _list_masks(folders.masks)
    if folders.truth is None:
        truth = FilesByKey(folders.masks, {})
    elif folders.truth == folders.masks:
        truth = masks
    else:
        truth = _list_masks(folders.truth)
    return FoundFiles(images, masks, truth)


def open_sequence(layout: Layout, folders: SequenceFolders) -> SequenceFiles:
    """Pairs the files of a sequence of a benchmark; raises the first of :func:`find_faults`."""
    found = find_files(folders)
    for fault in find_faults(layout, folders, found):
        raise ValueError(fault)
    return build_sequence(layout, folders, found)


def build_sequence(layout: Layout, folders: SequenceFolders, found: FoundFiles) -> SequenceFiles:
    """Pairs files of a benchmark in which :func:`find_faults` found none."""
    given = _given_masks(layout, folders, found)
    names = list(found.images)
    match layout.frames:
        case "all":
            pass
        case "listed":
            names = list(folders.listed)
        case "between":
            names = names[names.index(folders.listed[0]) : names.index(folders.listed[-1]) + 1]
        case _:
            assert_never(layout.frames)
    names = names[min(names.index(name) for name in given) :]
    labelled = names if layout.frames == "all" else folders.listed
    saved = found.masks if layout.saves_labelled else labelled
    index = {name: i for i, name in enumerate(names)}
    scored = labelled if _has_truth(layout, found, given) else ()
    objects = sorted(folders.objects.items())
    return SequenceFiles(
        name=folders.name,
        frames=FilesInOrder(folders.frames, tuple(found.images.names[name] for name in names)),
        given={index[name]: given[name] for name in names if name in given},
        truth=_by_frame(found.truth, {name: index[name] for name in scored}),
        saved=tuple(sorted(index[name] for name in saved if name in index)),
        spans={i: tuple(index[n] for n in o.frames if n in index) for i, o in objects},
        categories={i: o.category for i, o in objects if o.category is not None},
        declared_frames={i: o.declared for i, o in objects if o.declared is not None},
    )


def pair_frames(layout: Layout, folders: SequenceFolders) -> SequenceFiles:
    """Pairs the files of a sequence for training; a missing mask shows when it is read."""
    found = find_files(folders)
    names = list(folders.listed)
    if not names:
        for stray in _stray_masks(folders, found):
            raise ValueError(stray)
        names = [name for name in found.images if layout.is_labelled or name in found.masks]
    index = {name: i for i, name in enumerate(names)}
    return SequenceFiles(
        name=folders.name,
        frames=FilesInOrder(
            folders.frames, tuple(found.images.names.get(name, f"{name}.jpg") for name in names)
        ),
        truth=_by_frame(found.masks, index),
        spans={i: tuple(index[n] for n in o.frames) for i, o in sorted(folders.objects.items())},
        num_unmasked=0 if folders.listed else len(found.images) - len(names),
    )


def find_faults(layout: Layout, folders: SequenceFolders, found: FoundFiles) -> Iterator[str]:
    """Yields what prevents a sequence of a benchmark from being opened, in a line each."""
    missing = [name for name in folders.listed if name not in found.images]
    if missing:
        yield (
            f"{folders.frames}: expected the frames that {layout.origin} lists, found none for "
            f"{len(missing)}: {name_some(missing)}; restore them, or the list that belongs to them"
        )
    starts = list(_missing_starts(layout, folders, found))
    yield from starts
    if not missing and not starts and found.images.keys() & found.masks.keys():
        yield from _missing_labels(layout, folders, found)
    yield from _stray_masks(folders, found)
    if layout.is_gapless:
        # Listed and masked frames have lines of their own.
        told = {*folders.listed, *found.masks}
        yield from (
            f"{folders.frames / name}.jpg: expected a frame between its neighbours, found no such "
            "file; restore it"
            for name in _left_out(list(found.images))
            if name not in told
        )


def _list_masks(folder: Path) -> FilesByKey[str]:
    return FilesByKey(folder, images_by_stem(folder, MASK_SUFFIXES))


def _by_frame(masks: FilesByKey[str], index: Mapping[str, int]) -> FilesByKey[int]:
    names = {i: masks.names[name] for name, i in index.items() if name in masks}
    return FilesByKey(masks.folder, names)


def _starts_of_listed(folders: SequenceFolders) -> dict[str, tuple[int, ...]]:
    starts: dict[str, tuple[int, ...]] = {}
    for number, listed in sorted(folders.objects.items()):
        starts[listed.frames[0]] = (*starts.get(listed.frames[0], ()), number)
    return starts


def _missing_starts(layout: Layout, folders: SequenceFolders, found: FoundFiles) -> Iterator[str]:
    first = next(iter(found.images))
    if layout.starts == "listed":
        for name, numbers in _starts_of_listed(folders).items():
            if name not in found.masks:
                yield (
                    f"{folders.masks / name}.png: expected the first mask of object "
                    f"{' and '.join(map(str, numbers))}, which {layout.origin} starts there, found "
                    "no such file; restore it, or the list that belongs to the masks"
                )
    elif not found.masks:
        yield (
            f"{folders.masks}: expected the first mask of {folders.name} (.png), found "
            f"{describe_folder(folders.masks)}"
        )
    elif layout.starts == "first frame" and first not in found.masks:
        yield (
            f"{folders.masks / first}.png: expected the mask of the first frame, found no such "
            f"file; {folders.masks} holds {describe_folder(folders.masks)}"
        )


def _given_masks(
    layout: Layout, folders: SequenceFolders, found: FoundFiles
) -> dict[str, GivenMask]:
    """Chooses the masks to start from; raises ValueError if none shows an object."""
    match layout.starts:
        case "listed":
            starts = _starts_of_listed(folders)
            return {name: GivenMask(found.masks[name], ids) for name, ids in starts.items()}
        case "first frame" | "first mask":
            first = next(name for name in found.images if name in found.masks)
            return {first: GivenMask(found.masks[first])}
        case "first object":
            for name in found.images:
                if name in found.masks and read_values(found.masks[name]).ids.any():
                    return {name: GivenMask(found.masks[name])}
            raise ValueError(f"{folders.masks}: expected an object, found only empty masks")
        case "new ids":
            return _masks_with_new_ids(folders, found)
        case _:
            assert_never(layout.starts)


def _masks_with_new_ids(folders: SequenceFolders, found: FoundFiles) -> dict[str, GivenMask]:
    """Gives every mask that shows new objects; a single mask is not read."""
    masks = {name: path for name, path in found.masks.items() if name in found.images}
    if len(masks) == 1:
        return {name: GivenMask(path) for name, path in masks.items()}
    known: set[int] = set()
    given = {}
    for name, path in masks.items():
        if new := sorted(set(found.ids[name]) - known):
            given[name] = GivenMask(path, tuple(new))
            known.update(new)
    if not given:
        raise ValueError(
            f"{folders.masks}: expected masks with objects (1, 2, ...), found only 0 and 255 in "
            f"{describe_folder(folders.masks)}"
        )
    return given


def _has_truth(layout: Layout, found: FoundFiles, given: Mapping[str, GivenMask]) -> bool:
    if not set(found.truth) - set(given):
        return False
    if not layout.is_loose:
        return True
    counts = Counter(number for ids in found.ids.values() for number in ids)
    return min(counts.values(), default=0) > 1


def _missing_labels(layout: Layout, folders: SequenceFolders, found: FoundFiles) -> Iterator[str]:
    """Yields a line if some frames lack a mask but others beyond the given ones have one."""
    try:
        given = _given_masks(layout, folders, found)
    except ValueError as error:
        yield str(error)
        return
    if layout.is_loose or layout.starts in ("first mask", "first object"):
        return
    images = list(found.images)
    names = folders.listed or images[min(images.index(name) for name in given) :]
    missing = [name for name in names if name not in found.truth]
    if missing and set(found.truth).intersection(names) - set(given):
        yield (
            f"{folders.truth}: expected masks of all {len(names)} frames, or only first masks, "
            f"found none for {len(missing)}: {name_some(missing)}; restore them"
        )


def _stray_masks(folders: SequenceFolders, found: FoundFiles) -> Iterator[str]:
    for masks in (found.masks, {} if found.truth is found.masks else found.truth):
        for name, path in masks.items():
            if name not in found.images:
                yield (
                    f"{path}: expected the name of a frame in {folders.frames}, found no such "
                    "frame; restore the frame or remove the mask"
                )


def _left_out(names: list[str]) -> list[str]:
    """Names the frames that are missing among names whose numbers mostly rise by one step."""
    if len(names) < 3 or not all(name.isascii() and name.isdigit() for name in names):
        return []
    numbers = [int(name) for name in names]
    steps = [after - before for before, after in itertools.pairwise(numbers)]
    step = Counter(steps).most_common(1)[0][0]
    if step < 1:
        return []
    return [
        f"{number:0{len(names[0])}d}"
        for before, after in itertools.pairwise(numbers)
        for number in range(before + step, after, step)
    ]
