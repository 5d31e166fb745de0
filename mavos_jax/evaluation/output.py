"""The folder that the results of one video go to."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np

from mavos_jax.data.frames import FrameSource
from mavos_jax.data.video_file import import_av
from mavos_jax.evaluation.files import WriteBehind
from mavos_jax.evaluation.masks import write_mask
from mavos_jax.evaluation.overlay import draw_overlay, video_writer, write_picture

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
    """

    root: Path
    overlay: Overlay = "none"
    keeps_frames: bool = False

    @classmethod
    def open(
        cls, root: Path, overlay: Overlay = "none", *, overwrite: bool = False, frames: bool = False
    ) -> OutputFolder:
        """Checks a folder that need not exist yet, and creates nothing.

        Args:
          root: see the class.
          overlay: see the class.
          overwrite: whether results that are there may be replaced.
          frames: whether the frames are written too.

        Raises:
          ValueError: the folder holds results, is no folder or cannot be written into, or PyAV is
            missing for the video.
        """
        folder = cls(root, overlay, frames)
        if overlay == "video":
            import_av(folder.overlay_video)
        nearest = next(path for path in (root, *root.absolute().parents) if path.exists())
        if not nearest.is_dir() or not os.access(nearest, os.W_OK):
            raise ValueError(f"{root}: expected a folder to write into, {nearest} is none")
        found = [*root.glob("masks/*.png"), *root.glob("overlays/*.jpg")]
        found += [folder.overlay_video] if folder.overlay_video.exists() else []
        if found and not overwrite:
            raise ValueError(
                f"{root}: expected a folder without results, found {min(found)}; "
                "give another --output, or --overwrite to replace files of the same name"
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

            def write(name: str, frame: np.ndarray, ids: np.ndarray) -> None:
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
