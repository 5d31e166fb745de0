"""Frames and masks from the bytes of their files."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
from PIL import Image

from mavos_jax.config import IGNORED
from mavos_jax.media.frames import (
    DECODING_ERRORS,
    describe_damage,
    describe_size,
    require_eight_bits,
    to_rgb,
)
from mavos_jax.media.ids import count_pixels
from mavos_jax.media.samples import Sample

Form = Literal["ids", "binary", "saliency"]
"""What the values of masks mean, see :class:`Labels`."""

_ID_MODES = ("P", "L", "1")
_LOSSY_FORMATS = ("JPEG", "MPO", "JPEG2000", "WEBP")
_MOST_IDS = 100
"""Masks with more are no ids but shades of grey: the annotated sets have far fewer."""

_HINT = "masks must be indexed: save object ids (0 = background) as PNG of mode P or L"


class DamagedSample(ValueError):  # noqa: N818 - the name says what is wrong
    """A frame or its mask cannot be used: missing, damaged, or of different sizes."""


class File(NamedTuple):
    """A file of a data set.

    Attributes:
      origin: the file, as messages call it.
      data: what is in it.
    """

    origin: str
    data: bytes


@runtime_checkable
class EncodedFrames(Protocol):
    """The files of one video, read when they are asked for."""

    def __len__(self) -> int: ...

    def frame(self, index: int) -> File:
        """Reads the image of a frame; raises :class:`DamagedSample` where there is none."""
        ...

    def mask(self, index: int) -> File:
        """Reads the mask of a frame; raises :class:`DamagedSample` where there is none."""
        ...


@dataclasses.dataclass(frozen=True)
class Labels:
    """What the values of a set's masks mean.

    Attributes:
      form: ``ids``, kept as they are; ``binary``, one object wherever the value is not 0; or
        ``saliency``: ids, but a mask of 0 and 255 alone shows one object, as those of the sets for
        salient objects do.
      kept: the ids to keep, others become background; all by default.
    """

    form: Form = "ids"
    kept: tuple[int, ...] | None = None

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Gives the ids, uint8 [H, W], of a mask's values, uint8 [H, W]."""
        if self.form == "binary" or (self.form == "saliency" and _is_saliency(values)):
            return (values > 0).astype(np.uint8)
        if self.kept is None:
            return values
        table = np.zeros(256, np.uint8)
        table[[*self.kept, IGNORED]] = [*self.kept, IGNORED]
        return table[values]


@dataclasses.dataclass(frozen=True)
class EncodedVideo:
    """An annotated video whose frames and masks are decoded when they are asked for.

    Unless everything that is not 0 is one object, a mask raises ValueError if it has more than 100
    ids. Where 255 is no object, so does a mask of 0 and 255 alone if no mask of the video has
    another id: objects that are absent from one frame leave unknown pixels alone, but somewhere
    they must be seen.

    Attributes:
      name: the set and the sequence.
      files: its frames and masks.
      labels: what the masks' values mean.
    """

    name: str
    files: EncodedFrames
    labels: Labels

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Sample:
        index = range(len(self))[index]
        frame_file, mask_file = self.files.frame(index), self.files.mask(index)
        frame, mask = decode_frame(frame_file), self._labelled(mask_file)
        require_one_size(frame_file, frame.shape[:2], mask_file, mask.shape)
        return Sample(frame, mask)

    def mask(self, index: int) -> np.ndarray:
        """The mask alone; that it has the frame's size is not checked."""
        return self._labelled(self.files.mask(range(len(self))[index]))

    def _labelled(self, file: File) -> np.ndarray:
        values = decode_mask(file)
        if self.labels.form == "binary":
            return self.labels(values)
        num_ids = np.count_nonzero(count_pixels(values))
        if num_ids > _MOST_IDS:
            raise ValueError(
                f"{file.origin}: expected object ids, at most {_MOST_IDS} of them, found {num_ids} "
                "different values, as smoothed edges have; write objects as 1, 2, ... without "
                "smoothing"
            )
        if self.labels.form == "ids" and not num_ids and values.any() and not self._has_ids():
            raise ValueError(
                f"{file.origin}: expected object ids, found only 0 and 255 in all {len(self)} "
                "masks of the video; write objects as 1, 2, ..., because 255 means ignored"
            )
        return self.labels(values)

    def _has_ids(self) -> bool:
        """Whether any mask of the video has one; most often the first has."""
        masks = (decode_mask(self.files.mask(index)) for index in range(len(self)))
        return any(count_pixels(mask).any() for mask in masks)


def decode_frame(file: File) -> np.ndarray:
    """Decodes an image to uint8 RGB [H, W, 3], as stored (no EXIF rotation).

    Raises:
      DamagedSample: it is no image, cut off or damaged.
      ValueError: it has more than 8 bits a channel.
    """
    try:
        with Image.open(io.BytesIO(file.data)) as image:
            mode, frame = image.mode, to_rgb(image)
    except DECODING_ERRORS as error:
        raise _damaged(file, "an image", error) from error
    require_eight_bits(file.origin, mode)
    return frame


def decode_mask(file: File) -> np.ndarray:
    """Decodes a mask to the values that are stored in it, uint8 [H, W].

    Raises:
      DamagedSample: it is no image, cut off or damaged.
      ValueError: it does not hold ids but colours, or is compressed with loss.
    """
    try:
        with Image.open(io.BytesIO(file.data)) as image:
            mode, kind = image.mode, image.format
            if mode in _ID_MODES and kind not in _LOSSY_FORMATS:
                return np.asarray(image).astype(np.uint8)
    except DECODING_ERRORS as error:
        raise _damaged(file, "a mask", error) from error
    raise ValueError(f"{file.origin}: expected object ids, found {kind} of mode {mode}; {_HINT}")


def image_size(file: File) -> tuple[int, int]:
    """Reads height and width from an image's header; raises :class:`DamagedSample`."""
    try:
        with Image.open(io.BytesIO(file.data)) as image:
            return image.height, image.width
    except DECODING_ERRORS as error:
        raise _damaged(file, "an image", error) from error


def require_one_size(
    frame: File, frame_size: tuple[int, ...], mask: File, mask_size: tuple[int, ...]
) -> None:
    """Raises :class:`DamagedSample` unless a mask has the height and width of its frame."""
    if frame_size != mask_size:
        height, width = mask_size
        raise DamagedSample(
            f"{mask.origin}: expected {describe_size((frame_size[0], frame_size[1]))} as its frame "
            f"{frame.origin}, found {describe_size((height, width))}"
        )


def _is_saliency(values: np.ndarray) -> bool:
    return bool(((values == 0) | (values == IGNORED)).all())


def _damaged(file: File, expected: str, error: Exception) -> DamagedSample:
    return DamagedSample(
        f"{file.origin}: expected {expected} that can be decoded, found: {describe_damage(error)}; "
        "restore the file"
    )


def read_ids(path: Path) -> np.ndarray:
    """Reads the values of a mask, uint8 [H, W].

    Raises:
      ValueError: the file cannot be read, is damaged, in colour, or compressed with loss.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: expected a mask, found: {error.strerror}") from error
    return decode_mask(File(str(path), data))
