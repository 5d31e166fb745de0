"""The folder that the results of one video go to."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np

from mavos_jax.media.frames import FrameSource
from mavos_jax.media.masks import write_mask
from mavos_jax.media.overlay import draw_overlay, video_writer, write_picture
from mavos_jax.media.video_file import import_av
from mavos_jax.runtime.files import WriteBehind

Overlay = Literal["none", "pictures", "video"]

_DEFAULT_RATE = Fraction(24)
"""Frames a second of a video made from pictures that carry no time."""


@dataclasses.dataclass(frozen=True)
class OutputFolder:
    """Where the results of one video go.

    Attributes:
      root: the folder; it gets ``masks/NAME.png``, and ``overlays/NAME.jpg`` or ``overlay.mp4``.
      overlay: whether to draw the masks over the frames, and as what.
      keeps_frames: whether the frames are written too, as ``frames/NAME.png``.
      replaces: whether the first result removes the masks and overlays that are there.
    """

    root: Path
    overlay: Overlay = "none"
    keeps_frames: bool = False
    replaces: bool = False

    @classmethod
    def open(
        cls,
        root: Path,
        overlay: Overlay = "none",
        *,
        overwrite: bool = False,
        frames: bool = False,
        inputs: Iterable[Path] = (),
    ) -> OutputFolder:
        """Checks a folder that need not exist yet, and creates nothing.

        Args:
          root: see the class.
          overlay: see the class.
          overwrite: whether results that are there may be replaced.
          frames: whether the frames are written too.
          inputs: files and folders that must stay.

        Raises:
          ValueError: the folder holds results, is a checkpoint, is no folder or cannot be written
            into; an input is where results go; or PyAV is missing for the video.
        """
        folder = cls(root, overlay, frames, overwrite)
        if overlay == "video":
            import_av(folder.overlay_video)
        for path in (root, root / "masks", root / "overlays", root / "frames"):
            _require_writable(path)
        if (root / "config.json").is_file() and (root / "weights").is_dir():
            raise ValueError(
                f"{root}: expected a folder for results, found a checkpoint; give another --output"
            )
        folder._require_apart(inputs)
        found = folder._results()
        if found and not overwrite:
            raise ValueError(
                f"{root}: expected a folder without results, found {min(found)}; "
                "give another --output, or --overwrite to replace all masks and overlays there"
            )
        return folder

    @property
    def overlay_video(self) -> Path:
        """The video of overlays."""
        return self.root / "overlay.mp4"

    def mask(self, name: str) -> Path:
        """The mask of a frame."""
        return self.root / "masks" / f"{name}.png"

    def overlay_picture(self, name: str) -> Path:
        """The overlay of a frame."""
        return self.root / "overlays" / f"{name}.jpg"

    def frame(self, name: str) -> Path:
        """A frame."""
        return self.root / "frames" / f"{name}.png"

    @contextlib.contextmanager
    def writer(
        self, frames: FrameSource, palette: np.ndarray | None
    ) -> Iterator[Callable[[str, np.ndarray, np.ndarray], None]]:
        """Opens what the results need.

        Args:
          frames: the video.
          palette: colours of the masks, uint8 [256, 3], or None.

        Yields:
          A function of a frame's name, the frame (uint8 RGB [H, W, 3]) and its ids (uint8 [H, W]);
          it returns before they are written and raises what an earlier write raised.
        """
        with contextlib.ExitStack() as stack:
            add = None
            if self.overlay == "video":
                rate = frames.frame_rate or _DEFAULT_RATE
                add = stack.enter_context(video_writer(self.overlay_video, frames.size, rate))

            outdated = self._results() if self.replaces else []

            def write(name: str, frame: np.ndarray, ids: np.ndarray) -> None:
                while outdated:
                    outdated.pop().unlink(missing_ok=True)
                write_mask(self.mask(name), ids, palette)
                if self.keeps_frames:
                    write_picture(self.frame(name), frame)
                if self.overlay == "pictures":
                    write_picture(self.overlay_picture(name), draw_overlay(frame, ids))
                if add is not None:
                    add(draw_overlay(frame, ids))

            # Opened after the video, so that it is drained before the video is closed.
            queue = stack.enter_context(WriteBehind())
            yield lambda name, frame, ids: queue.submit(write, name, frame, ids)

    def _results(self) -> list[Path]:
        """The masks and overlays that are there.

        Frames are not among them: a folder ``frames`` may be the user's own.
        """
        found = [*self.root.glob("masks/*.png"), *self.root.glob("overlays/*.jpg")]
        return found + ([self.overlay_video] if self.overlay_video.exists() else [])

    def _require_apart(self, inputs: Iterable[Path]) -> None:
        root = self.root.resolve()
        results = (root / "masks", root / "overlays", root / "overlay.mp4")
        for path in inputs:
            place = path.resolve()
            if place == root:
                raise ValueError(
                    f"{self.root}: expected a folder for results, found the folder of frames; "
                    "give another --output"
                )
            if place in results or place.parent in results:
                raise ValueError(
                    f"{path}: expected the input apart from results, found it where "
                    f"--output {self.root} replaces files; give another --output"
                )


def _require_writable(path: Path) -> None:
    """Raises unless files can be put into a folder, which need not exist yet."""
    nearest = next(place for place in (path, *path.absolute().parents) if place.exists())
    if not nearest.is_dir():
        raise ValueError(
            f"{path}: expected a folder to write into, but {nearest} is a file; "
            "give another --output"
        )
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise ValueError(
            f"{path}: expected a folder to write into, but {nearest} is not writable; "
            "give another --output, or change its permissions"
        )
