"""Pictures of a clip with its true and its predicted masks."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from mavos_jax.media.overlay import draw_overlay

_MAX_FRAMES = 8
_MAX_SIDE = 256


def paint_clip(frames: np.ndarray, truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Draws a clip as a row of frames with true masks over a row with predicted ones, named so.

    Args:
      frames: uint8 RGB [T, S, S, 3].
      truth: uint8 slots [T, S, S], 255 = ignored.
      predicted: uint8 slots [T, S, S].

    Returns:
      uint8 RGB [2 s, t s, 3] of at most 8 frames, evenly chosen, at most 256 pixels wide each.
    """
    chosen = np.linspace(0, len(frames) - 1, min(len(frames), _MAX_FRAMES)).round().astype(int)
    stride = -(-frames.shape[1] // _MAX_SIDE)
    rows = [
        np.concatenate(
            [
                draw_overlay(frames[t, ::stride, ::stride], masks[t, ::stride, ::stride])
                for t in chosen
            ],
            axis=1,
        )
        for masks in (truth, predicted)
    ]
    return np.concatenate(
        [_with_title(*pair) for pair in zip(rows, ("truth", "network"), strict=True)]
    )


def _with_title(row: np.ndarray, title: str) -> np.ndarray:
    """Returns a row of pictures with words in its upper left corner."""
    picture = Image.fromarray(row)
    drawing = ImageDraw.Draw(picture)
    box = drawing.textbbox((2, 2), title)
    drawing.rectangle((box[0] - 2, box[1] - 2, box[2] + 2, box[3] + 2), fill="black")
    drawing.text((2, 2), title, fill="white")
    return np.asarray(picture)
