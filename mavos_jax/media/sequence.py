"""Sequences in the layout ``JPEGImages/<sequence>`` beside ``Annotations/<sequence>``."""

import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from mavos_jax.media.folders import MASK_SUFFIXES, images_by_stem, name_some, nested_folders
from mavos_jax.media.frames import FrameSource, ImageFolder, open_frames
from mavos_jax.media.ids import explain_emptiness, object_ids
from mavos_jax.media.masks import Values, read_mask
from mavos_jax.media.video_file import VideoFile

_MAX_DIGITS = 10

AnnotationUse = Literal["auto", "new", "all"]
"""What to take from later masks: only new objects; all they show; or all, unless every frame has
one, as in sets whose truth is known."""


@dataclasses.dataclass(frozen=True)
class VideoSequence:
    """A video from the frame of its first mask on, or both ways, and masks beside it by frame."""

    frames: FrameSource
    annotations: Mapping[int, Path]  # by index, counted from the first mask's frame
    num_skipped: int = 0
    notes: tuple[str, ...] = ()
    position: int = 0  # of that frame among all
    earlier: Mapping[int, Path] = dataclasses.field(default_factory=dict)  # counted backwards


def open_sequence(
    path: Path, mask: Path | None = None, start: str | None = None, *, both_ways: bool = False
) -> VideoSequence:
    """Opens a video file, a folder of frames, or a sequence with annotations.

    A folder of images has annotations if it lies in a ``JPEGImages`` whose sibling ``Annotations``
    has the same folder; ``path`` may be the parent of both, with one sequence. By default it starts
    from the first annotation that shows an object, or at the frame that ``mask`` is named after, or
    else the first; ``start`` is another's name or number from 0. ``both_ways`` keeps those before.
    """
    if (path / "JPEGImages").is_dir():
        path = _only_sequence(path)
    frames = open_frames(path)
    by_index = _annotations(path, frames)
    if start is not None:
        index, notes = _find_frame(frames, start, both_ways), ()
    elif mask is not None:
        index, notes = _frame_of(frames, mask)
    else:
        index, notes = _first_with_objects(frames, by_index)
    if mask is not None:
        by_index[index] = mask
    elif start is not None and index not in by_index:
        raise ValueError(
            f"{path}: expected a mask of frame {start}, found none in a folder Annotations beside "
            "JPEGImages; give one with --mask FILE"
        )
    annotations = {i - index: by_index[i] for i in sorted(by_index) if i >= index}
    if not both_ways:
        return VideoSequence(frames.starting_at(index), annotations, index, notes)
    earlier = {index - i: file for i, file in by_index.items() if i < index}
    return VideoSequence(frames, annotations, 0, notes, index, earlier)


def _annotations(path: Path, frames: ImageFolder | VideoFile) -> dict[int, Path]:
    parts = path.absolute().parts
    if "JPEGImages" not in parts or not frames.names:
        return {}
    position = len(parts) - 1 - parts[::-1].index("JPEGImages")
    folder = Path(*parts[:position], "Annotations", *parts[position + 1 :])
    indices = {name: index for index, name in enumerate(frames.names)}
    files = [folder / name for name in images_by_stem(folder, MASK_SUFFIXES).values()]
    for file in files:
        if file.stem not in indices:
            raise ValueError(
                f"{file}: expected the name of a frame in {path}, found no {file.stem}.jpg or .png "
                "there; rename or remove the mask"
            )
    return {indices[file.stem]: file for file in files}


def _find_frame(frames: ImageFolder | VideoFile, start: str, both_ways: bool) -> int:
    index = int(start) if start.isascii() and start.isdigit() and len(start) < _MAX_DIGITS else -1
    index = frames.names.index(start) if start in frames.names else index
    number = frames.num_frames
    if index < 0 or (number is not None and index >= number):
        last = "" if number is None else f" up to {number - 1}"
        raise ValueError(
            f"{frames.origin}: expected the name of a frame or a number{last}, found {start!r}; "
            f"choose another {'--from_frame' if both_ways else '--start'}"
        )
    return index


def _frame_of(frames: ImageFolder | VideoFile, mask: Path) -> tuple[int, tuple[str, ...]]:
    """Finds the frame that a mask is named after; the first if that is not clear."""
    names = frames.names
    if mask.stem in names:
        index = names.index(mask.stem)
        note = (
            f"start: {mask.stem}, the frame that {mask} is named after; --start {frames.name(0)} "
            "takes it for the first"
        )
        return index, (note,) if index else ()
    number = _number(mask.stem)
    later = None
    if names and number is not None:
        later = next((name for name in names[1:] if _number(name) == number), None)
    elif number and number < (frames.num_frames or number + 1):
        later = str(number)
    if later is None:
        return 0, ()
    return 0, (f"start: {mask} taken for the first frame; --start {later} takes it for another",)


def _number(name: str) -> int | None:
    found = re.search(rf"[0-9]{{1,{_MAX_DIGITS - 1}}}$", name)
    return None if found is None else int(found[0])


def _first_with_objects(
    frames: ImageFolder | VideoFile, by_index: Mapping[int, Path]
) -> tuple[int, tuple[str, ...]]:
    indices, marked = sorted(by_index), []
    for number, index in enumerate(indices):
        ids = read_mask(by_index[index], frames.size, allow_empty=True)[0]
        marked += [index] * bool(ids.any())  # perhaps only with ignored pixels
        if object_ids(ids):
            if number == 0:
                return index, ()
            one, several = f"{by_index[indices[0]]} shows", f"{number} masks before show"
            found = one if number == 1 else several
            return index, (f"start: {frames.name(index)}; {found} no object",)
    return min(marked or indices, default=0), ()


def _only_sequence(root: Path) -> Path:
    """Finds the only folder with images below ``root/JPEGImages``, at most two levels down."""
    images = root / "JPEGImages"
    found = [images / name for name in nested_folders(images) if images_by_stem(images / name)]
    if not found:
        raise ValueError(f"{images}: expected a folder of frames (.jpg or .png), found none")
    if len(found) > 1:
        named = name_some([str(folder.relative_to(images)) for folder in found])
        raise ValueError(
            f"{root}: expected one sequence, found {len(found)}: {named}; give one of them, such "
            f"as {found[0]}"
        )
    return found[0]


class MasksOnDemand(Mapping[int, np.ndarray]):
    """Masks by frame index, uint8 [H, W], read on demand."""

    def __init__(self, frames: Iterable[int], read: Callable[[int], np.ndarray]) -> None:
        self._frames, self._read = sorted(frames), read

    def __getitem__(self, index: int) -> np.ndarray:
        if index not in self._frames:
            raise KeyError(index)
        return self._read(index)

    def __contains__(self, index: object) -> bool:
        return index in self._frames  # without a reading

    def __iter__(self) -> Iterator[int]:
        return iter(self._frames)

    def __len__(self) -> int:
        return len(self._frames)


class LaterMasks(MasksOnDemand):
    """Masks of later frames from files, all of which are read once to be checked.

    Masks that correct are given whole, others only with ids that are new, if there are any.
    """

    def __init__(self, files: Mapping[int, Path], first: Values, *, corrects: bool) -> None:
        self._num_files, self._corrects = len(files), corrects
        size, seen, own = first.ids.shape, set(object_ids(first.ids)), first.palette
        self._colours = {} if own is None else {i: tuple(own[i]) for i in sorted(seen)}
        self.new_ids: dict[int, tuple[int, ...]] = {}  # by frame index, ascending
        self.corrections: list[int] = []  # frames whose masks show known objects

        def read(index: int) -> np.ndarray:
            return read_mask(files[index], size, allow_empty=True)[0]

        for index, file in sorted(files.items()):
            ids, palette = read_mask(file, size, allow_empty=True)
            shown = set(object_ids(ids))
            if corrects and not shown and ids.any():  # white on black, passed over as ignored
                raise ValueError(f"{file}: {explain_emptiness(ids)}")
            if corrects and palette is not None:
                self._require_same_colours(file, sorted(shown), palette)
            if shown - seen:
                self.new_ids[index] = tuple(sorted(shown - seen))
            if shown & seen:
                self.corrections.append(index)
            seen |= shown
        super().__init__({*self.new_ids, *(self.corrections if corrects else ())}, read)

    def _require_same_colours(self, file: Path, shown: list[int], palette: np.ndarray) -> None:
        """Raises ValueError for an id in another's colour, as editors' own palettes make them."""
        owners = {colour: number for number, colour in reversed(self._colours.items())}
        for number in shown:
            colour = tuple(palette[number])
            other = owners.get(colour, number)
            is_told_apart = colour not in (self._colours.get(number), tuple(palette[other]))
            if other != number and is_told_apart:
                raise ValueError(
                    f"{file}: expected every object under one id in all masks, found {number} in "
                    f"the colour of object {other}; give it that id, or convert all masks in one "
                    "call of python -m mavos_jax.commands.masks"
                )
            self._colours.setdefault(number, colour)

    def __getitem__(self, index: int) -> np.ndarray:
        ids = super().__getitem__(index)
        if self._corrects:
            return ids
        return np.where(np.isin(ids, self.new_ids[index]), ids, 0).astype(np.uint8)

    def __str__(self) -> str:
        """Says which of them are used, and which are not."""
        used = [f"{len(self.new_ids)} with new objects"] if self.new_ids else []
        if self._corrects and self.corrections:
            used.append(f"{len(self.corrections)} correcting known ones")
        ignored = self._num_files - len(self)
        words = f"masks: {1 + len(self)} used"
        if used:
            words += f" (1 at the start, {', '.join(used)})"
        return words + (f", {ignored} without new objects ignored" if ignored else "")
