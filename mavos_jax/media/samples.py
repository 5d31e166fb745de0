"""What every data set looks like to training: annotated videos."""

import dataclasses
from typing import Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np

from mavos_jax.config import IGNORED
from mavos_jax.media.ids import count_pixels, explain_levels
from mavos_jax.media.masks import read_values
from mavos_jax.media.pictures import File, read_frame_header, read_image

Form = Literal["ids", "binary", "saliency"]  # what the values of masks mean, see :class:`Labels`
_MOST_IDS = 100  # masks with more are no ids but shades of grey: the annotated sets have far fewer


class Sample(NamedTuple):
    """A frame, uint8 RGB [H, W, 3], and its object ids, uint8 [H, W], with 255 for unknown."""

    frame: np.ndarray
    mask: np.ndarray


@runtime_checkable
class AnnotatedVideo(Protocol):
    """A video with a mask for every frame; frames are read when they are asked for."""

    @property
    def name(self) -> str:
        """The set and the sequence, for messages."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...

    def mask(self, index: int) -> np.ndarray:
        """The mask without its frame, which need not be decoded."""
        ...


@runtime_checkable
class VideoSet(Protocol):
    """A data set: videos by index, single images if it is static. Loaders pickle it."""

    name: str
    max_gap: int  # the most frames between neighbouring frames of a clip
    is_static: bool
    num_left_out: int  # unfit videos or images

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> AnnotatedVideo: ...

    def fingerprint(self) -> str:
        """A short hash of the names and sizes of the set's files, or of its recipe."""
        ...


@runtime_checkable
class EncodedFrames(Protocol):
    """The files of one video, read when they are asked for; missing ones raise DamagedSample."""

    def __len__(self) -> int: ...

    def frame(self, index: int) -> File:
        """Reads the image of a frame."""
        ...

    def mask(self, index: int) -> File:
        """Reads the mask of a frame."""
        ...


@dataclasses.dataclass(frozen=True)
class Labels:
    """What the values of a set's masks mean."""

    # ``binary``: one object where not 0; ``saliency``: ids, but only 0 and 255 show one object.
    form: Form = "ids"
    kept: tuple[int, ...] | None = None  # the ids that stay; None for all

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Gives the ids, uint8 [H, W], of a mask's values, uint8 [H, W]."""
        is_binary = self.form == "binary"
        if self.form == "saliency":
            is_binary = bool(((values == 0) | (values == IGNORED)).all())
        if is_binary:
            return (values > 0).astype(np.uint8)
        if self.kept is None:
            return values
        table = np.zeros(256, np.uint8)
        table[[*self.kept, IGNORED]] = [*self.kept, IGNORED]
        return table[values]


@dataclasses.dataclass(frozen=True)
class EncodedVideo:
    """An annotated video, decoded when it is asked for; masks that hold no ids raise ValueError."""

    name: str
    files: EncodedFrames
    labels: Labels

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Sample:
        index = range(len(self))[index]
        frame_file, mask_file = self.files.frame(index), self.files.mask(index)
        # Sizes are compared before pixels are decoded, which a damaged header makes many of.
        size = read_frame_header(frame_file).size
        values, palette = read_values(mask_file, size, f"its frame {frame_file}")
        return Sample(read_image(frame_file), self._labelled(mask_file, values, palette))

    def mask(self, index: int) -> np.ndarray:
        """The mask without its frame, whose size is not compared."""
        file = self.files.mask(range(len(self))[index])
        return self._labelled(file, *read_values(file))

    def _labelled(self, file: File, values: np.ndarray, palette: np.ndarray | None) -> np.ndarray:
        if self.labels.form == "binary":
            return self.labels(values)
        num_ids = np.count_nonzero(count_pixels(values))
        if num_ids > _MOST_IDS:
            raise ValueError(
                f"{file.origin}: expected object ids, at most {_MOST_IDS} of them, found {num_ids} "
                "different values, as smoothed edges have; write objects as 1, 2, ... without "
                "smoothing"
            )
        if fault := explain_levels(values, palette):
            raise ValueError(f"{file.origin}: {fault}")
        if self.labels.form == "ids" and not num_ids and values.any():
            masks = (read_values(self.files.mask(index)).ids for index in range(len(self)))
            if not any(count_pixels(mask).any() for mask in masks):
                raise ValueError(
                    f"{file.origin}: expected object ids, found only 0 and 255 in all {len(self)} "
                    "masks of the video; write objects as 1, 2, ..., because 255 means ignored"
                )
        return self.labels(values)
