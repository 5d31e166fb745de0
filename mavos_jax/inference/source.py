"""What users hand in: arguments, checked by type before use, and videos, checked frame by frame."""

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import numpy as np
from flax.errors import FlaxError

from mavos_jax.config import IGNORED
from mavos_jax.config.checks import require_kind
from mavos_jax.inference.geometry import Sizes, padded_size
from mavos_jax.inference.objects import ObjectIds
from mavos_jax.models.mavos import MAVOS
from mavos_jax.models.resize import nearest_indices

_LONGEST_GAP = 2**31 - 1  # longer than any video, and all that int32 holds

Labels = Mapping[int, np.ndarray]  # masks of new or corrected objects, by frame

Masks = Sequence[np.ndarray] | np.ndarray


class Video(NamedTuple):
    """The arguments of ``segment_video`` that describe a video, and its place in a batch."""

    frames: Iterable[np.ndarray]
    mask: np.ndarray
    labels: Labels = MappingProxyType({})
    num_objects: int | None = None
    memorise_with: Masks | None = None
    output_size: tuple[int, int] | None = None
    number: int | None = None


class Source:
    """Takes a video in, frame by frame, and numbers its objects; ``position`` is the next frame.

    An error of the frames waits until the frames before it have been pulled.
    """

    def __init__(self, video: Video) -> None:
        number = video.number
        self._name = "" if number is None else f"videos[{number}]: "
        self._mask_name = "mask" if number is None else f"masks[{number}]"
        check_frames(video.frames, "frames" if number is None else f"videos[{number}]")
        check_labels(video.labels)
        self.ids = ObjectIds(video.num_objects)
        self.labels = video.labels
        self.sizes = Sizes((0, 0), (0, 0))
        self.position = 0
        self.is_exhausted = False
        self._video = video
        self._frames = iter(video.frames)
        self._error: Exception | None = None
        self._labelled: set[int] = set()

    def start(self, first: "Source") -> tuple[np.ndarray, np.ndarray]:
        """Returns the first frame, of the size of the ``first`` video's, and its slots, padded."""
        frame, name = self._next(), self._mask_name
        if frame is None:
            none = ValueError(f"{self._name}frames: expected at least one frame, found none")
            raise self._error or none
        size = (frame.shape[0], frame.shape[1])
        self.sizes = Sizes(size, self._video.output_size or size)
        if self.sizes != first.sizes:
            height, width = first.sizes.frame
            raise ValueError(
                f"{self._name}expected frames of {height}x{width} pixels (height x width) like "
                f"those of videos[0], found {size[0]}x{size[1]}"
            )
        slots = self.ids.add(check_mask(self._video.mask, size, name), name)
        if not ((slots != 0) & (slots != IGNORED)).any():
            raise ValueError(f"{name}: expected at least one object, found only background")
        return _pad(frame), _pad(slots)

    def first_ids(self) -> np.ndarray:
        """Returns the first mask at the size of the output."""
        rows, columns = (nearest_indices(*pair) for pair in zip(*self.sizes, strict=True))
        return np.asarray(self._video.mask).astype(np.uint8)[rows][:, columns]

    def pull(self, chunk: np.ndarray) -> int:
        """Copies the next frames into a padded chunk [t, H, W, 3]; returns how many there were."""
        height, width = self.sizes.frame
        for index, place in enumerate(chunk):
            frame = None if index and self.position in self.labels else self._next()
            if frame is None:
                return index
            place[:height, :width] = frame
        return len(chunk)

    def label(self) -> np.ndarray:
        """Returns the slots of the last frame's label, padded, and registers its new objects."""
        name = f"labels[{self.position - 1}]"
        self._labelled.add(self.position - 1)
        label = check_mask(self.labels[self.position - 1], self.sizes.output, name)
        return _pad(self.ids.add(label, name))

    def to_memorise(self, count: int, length: int) -> np.ndarray | None:
        """Returns the given slots of the last ``count`` frames, padded [length, H, W], if any."""
        given = self._video.memorise_with
        if given is None:
            return None
        padded = np.zeros((length, *padded_size(self.sizes.output)), np.uint8)
        for place, t in zip(padded, range(self.position - count, self.position), strict=False):
            name = f"memorise_with[{t}]"
            if t >= len(given):
                raise ValueError(f"{name}: expected a mask for every frame, found none")
            slots = self.ids.to_slots(check_mask(given[t], self.sizes.output, name), name)
            place[: slots.shape[0], : slots.shape[1]] = slots
        return padded

    def raise_error(self) -> None:
        """Raises what ended the frames, unless they simply ended."""
        if self._error is not None:
            raise self._error
        if unused := sorted(set(self.labels) - self._labelled):
            raise ValueError(
                f"labels: expected masks of frames 1..{self.position - 1}, each given before its "
                f"frame is read, found unused ones for {unused}"
            )

    def _next(self) -> np.ndarray | None:
        """Returns the next frame, or ``None`` at the end or at an error, which it keeps."""
        if self.is_exhausted:
            return None
        try:
            frame = _check_frame(next(self._frames), self.position, self.sizes.frame)
        except StopIteration:
            self.is_exhausted = True
        except Exception as error:  # raised once the frames before it are segmented
            self._error, self.is_exhausted = error, True
            if self._name and isinstance(error, ValueError):
                self._error = ValueError(f"{self._name}{error}")
                self._error.__cause__ = error
        else:
            self.position += 1
            return frame
        return None


def _check_frame(frame: object, position: int, size: tuple[int, int]) -> np.ndarray:
    name = f"frame {position}"
    array = as_array(frame, name)
    if check_rgb(array, name) != size and position:
        raise ValueError(
            f"{name}: expected {size[0]}x{size[1]} pixels (height x width) like the first frame, "
            f"found {array.shape[0]}x{array.shape[1]}"
        )
    return array


def check_rgb(array: np.ndarray | jax.Array, name: str) -> tuple[int, int]:
    """Returns the height and width of a frame; raises ValueError unless it is one."""
    if array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.uint8:
        raise ValueError(
            f"{name}: expected uint8 RGB [H, W, 3], found {array.dtype} {list(array.shape)}"
        )
    return array.shape[0], array.shape[1]


def check_mask(mask: object, size: tuple[int, int], name: str) -> np.ndarray:
    """Returns a mask as an array; raises ValueError unless it is one of a size."""
    if isinstance(mask, (str, bytes, os.PathLike)) or mask is None:
        raise ValueError(f"{name}: expected a mask of integer ids [H, W], found {mask!r}")
    array = as_array(mask, name)
    if array.shape != size:
        raise ValueError(
            f"{name}: expected {size[0]}x{size[1]} pixels (height x width) like the frames, found "
            f"{'x'.join(map(str, array.shape))}"
        )
    return array


def _pad(array: np.ndarray) -> np.ndarray:
    height, width = array.shape[:2]
    padded = np.zeros((*padded_size((height, width)), *array.shape[2:]), np.uint8)
    padded[:height, :width] = array
    return padded


def check_network(model: object, variables: object) -> None:
    """Raises ValueError unless these are a network and, by their kind, its variables."""
    require_kind("model", model, MAVOS, "a network from load or build_model")
    require_kind("variables", variables, Mapping, "the dictionary of variables that load returns")


@contextlib.contextmanager
def fitting_variables() -> Iterator[None]:
    """Raises ValueError for what Flax raises in the block: variables of another network."""
    try:
        yield
    except FlaxError as error:
        found = str(error).partition(" (http")[0]
        raise ValueError(
            f"variables: expected those of the network, as load returns them, found others: {found}"
        ) from error


def as_array(value: object, name: str) -> np.ndarray:
    """Returns an array-like object as an array, or raises ValueError with its ``name``."""
    try:
        return np.asarray(value)
    except Exception as error:  # whatever the objects' own libraries raise
        raise ValueError(
            f"{name}: expected an array, found a {type(value).__name__} that NumPy cannot read: "
            f"{' '.join(str(error).split())}"
        ) from error


def check_frames(frames: object, name: str = "frames") -> None:
    """Raises ValueError for anything but an iterable of frames, such as the path of a video."""
    expected = "RGB frames, uint8 [H, W, 3] each; evaluate.py --video reads files"
    is_path = isinstance(frames, (str, bytes, os.PathLike, Mapping))
    require_kind(name, frames, () if is_path else Iterable, expected)


def check_labels(labels: Any) -> None:
    """Raises ValueError unless these are masks by number of frame, none of the first."""
    expected = "a dictionary of masks by number of frame"
    require_kind("labels", labels, Mapping, expected)
    for frame in labels:
        require_kind("labels", frame, (int, np.integer), f"{expected}, whose keys are integers")
        if frame < 1:
            raise ValueError(f"labels: expected frames from 1 on, found {frame}")


def check_sequence(name: str, values: Any, expected: str, length: int | None = None) -> None:
    """Raises ValueError unless these are values of known number, ``length`` if given, not text."""
    is_wrong = isinstance(values, (str, bytes, Mapping)) or not hasattr(values, "__len__")
    require_kind(name, values, () if is_wrong else object, expected)
    if length is not None and len(values) != length:
        raise ValueError(f"{name}: expected {expected}, found {len(values)}")


def checked_gap(model: MAVOS, gap: int | None) -> int:
    """Returns the frames between two long-term writes: as given, or the configuration's."""
    gap = model.config.memory.gap if gap is None else gap
    if not isinstance(gap, int | np.integer) or gap < 1:
        raise ValueError(f"gap: expected a whole number of frames, at least 1, found {gap!r}")
    return min(int(gap), _LONGEST_GAP)
