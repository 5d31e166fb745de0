"""Small pictures of frames and masks, as text that a page can hold."""

from __future__ import annotations

import base64
import io
from typing import NamedTuple

import numpy as np
from PIL import Image

from mavos_jax.config import IGNORED
from mavos_jax.datasets.dataset import BenchmarkSequence
from mavos_jax.evaluation.reading import read_frame, read_truth
from mavos_jax.evaluation.report.contents import ReportContents
from mavos_jax.media.masks import object_ids, read_mask, voc_palette
from mavos_jax.media.pictures import read_header

_JPEG_QUALITY = 80


class Picture(NamedTuple):
    """One frame, all its images of one size; each a file in base64.

    Attributes:
      frame: index into the sequence's frames.
      name: of the frame.
      image: JPEG.
      prediction: PNG whose grey values are ids.
      truth: likewise, None where the frame has no label.
      ids: the objects in the prediction or the truth, ascending.
    """

    frame: int
    name: str
    image: str
    prediction: str
    truth: str | None
    ids: tuple[int, ...]


def make_picture(
    contents: ReportContents, sequence: BenchmarkSequence, frame: int, *, with_truth: bool
) -> Picture:
    """Shrinks a frame, its mask and its truth.

    Raises:
      ValueError: a file is damaged, or a mask holds no ids.
    """
    prediction, _ = read_prediction(contents, sequence, frame)
    size = picture_size(prediction.shape, contents.width)
    truth = read_truth(contents.benchmark, sequence, frame) if with_truth else None
    image = Image.fromarray(read_frame(contents.benchmark, sequence.frames[frame]))
    return Picture(
        frame=frame,
        name=sequence.frame_name(frame),
        image=_encode(image.resize(size, Image.Resampling.BOX), "JPEG", quality=_JPEG_QUALITY),
        prediction=_encode_ids(prediction, size),
        truth=None if truth is None else _encode_ids(truth, size),
        ids=tuple(sorted({*object_ids(prediction), *(() if truth is None else object_ids(truth))})),
    )


def picture_size(size: tuple[int, ...], max_width: int) -> tuple[int, int]:
    """Returns the width and height, in pixels, of the picture of a mask of a size."""
    height, width = size
    if width <= max_width:
        return width, height
    return max_width, max(1, round(height * max_width / width))


def read_prediction(
    contents: ReportContents, sequence: BenchmarkSequence, frame: int
) -> tuple[np.ndarray, np.ndarray]:
    """Reads a predicted mask as it is, whatever its outlines look like.

    Returns:
      Ids, uint8 [H, W], and their colours, uint8 [256, 3].

    Raises:
      ValueError: the file is damaged, or holds no ids.
    """
    path = contents.mask(sequence, frame)
    ids, palette = read_mask(
        path, read_header(path, "a result").size, allow_empty=True, is_drawn=False
    )
    return ids, voc_palette() if palette is None else palette


def _encode_ids(ids: np.ndarray, size: tuple[int, int]) -> str:
    """Encodes ids so that a browser reads them back: the colour of id i is grey of value i.

    Colours of a mask's own palette may repeat; and a palette that ends with the highest id takes
    fewer bits a pixel.
    """
    known = np.where(ids == IGNORED, 0, ids).astype(np.uint8)
    image = Image.fromarray(known).resize(size, Image.Resampling.NEAREST)
    image.putpalette(np.repeat(np.arange(int(known.max()) + 1, dtype=np.uint8), 3).tobytes())
    return _encode(image, "PNG", optimize=True)


def _encode(image: Image.Image, kind: str, **options: object) -> str:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return base64.b64encode(file.getvalue()).decode("ascii")
