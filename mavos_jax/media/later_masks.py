"""The masks that come with frames after the first: new objects, and corrections of known ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from mavos_jax.media.masks import object_ids, read_mask

AnnotationUse = Literal["auto", "new", "all"]
"""What later masks are for: new objects alone; all that they show; or all, unless every frame has
one, as in sets whose truth is known."""


class LaterMasks(Mapping[int, np.ndarray]):
    """Masks of later frames, uint8 [H, W], read each time they are asked for.

    A mask that corrects is given whole. Else it is given with the ids that no earlier mask had, and
    0 elsewhere; frames whose mask brings no new id are left out, as are those without any object.

    Args:
      files: mask files by frame index.
      size: height and width of the frames, in pixels.
      known: ids that are there from the start.
      corrects: whether known objects get the pixels that a mask shows.

    Attributes:
      new_ids: the ids that masks bring, ascending, by frame index.
      corrections: frames whose masks show known objects.

    Raises:
      ValueError: see :func:`read_mask`; every file is read once to check it.
    """

    def __init__(
        self,
        files: Mapping[int, Path],
        size: tuple[int, int],
        known: tuple[int, ...],
        *,
        corrects: bool,
    ) -> None:
        self._files, self._size, self._corrects = files, size, corrects
        self.new_ids: dict[int, tuple[int, ...]] = {}
        self.corrections: list[int] = []
        seen = set(known)
        for index in sorted(files):
            shown = set(object_ids(self._read(index)))
            if shown - seen:
                self.new_ids[index] = tuple(sorted(shown - seen))
            if shown & seen:
                self.corrections.append(index)
            seen |= shown
        self._used = sorted({*self.new_ids, *(self.corrections if corrects else ())})

    def __getitem__(self, index: int) -> np.ndarray:
        if index not in self._used:
            raise KeyError(index)
        ids = self._read(index)
        if self._corrects:
            return ids
        return np.where(np.isin(ids, self.new_ids[index]), ids, 0).astype(np.uint8)

    def __iter__(self) -> Iterator[int]:
        return iter(self._used)

    def __len__(self) -> int:
        return len(self._used)

    def __str__(self) -> str:
        """Words for what is used of them, and what is not."""
        used = [f"{len(self.new_ids)} with new objects"] if self.new_ids else []
        if self._corrects and self.corrections:
            used.append(f"{len(self.corrections)} correcting known ones")
        ignored = len(self._files) - len(self._used)
        words = f"masks: {1 + len(self._used)} used"
        if used:
            words += f" (1 at the start, {', '.join(used)})"
        return words + (f", {ignored} without new objects ignored" if ignored else "")

    def _read(self, index: int) -> np.ndarray:
        return read_mask(self._files[index], self._size, allow_empty=True)[0]
