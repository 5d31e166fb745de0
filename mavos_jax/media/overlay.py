"""Masks drawn over frames: pictures, or a video of them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import numpy as np
from PIL import Image

from mavos_jax.config import IGNORED
from mavos_jax.media.marks import png_mark, text_mark
from mavos_jax.media.masks import voc_palette
from mavos_jax.media.pictures import Size
from mavos_jax.media.video_file import av_url, import_av
from mavos_jax.runtime.files import written_whole

_JPEG_QUALITY = 90
_MAX_DENOMINATOR = 1001  # MPEG-4 takes rates of at most 16 bits; broadcast rates are n / 1001
_RATES = (Fraction(1, _MAX_DENOMINATOR), Fraction(1000))
_H264_QUALITY = "18"


def write_picture(path: Path, picture: np.ndarray, *, is_marked: bool = False) -> None:
    """Writes uint8 RGB [H, W, 3] as a .jpg or .png, under its name only once it is whole.

    Results are marked, see :mod:`mavos_jax.media.marks`.
    """
    image = Image.fromarray(picture)
    with written_whole(path) as temporary:
        if path.suffix.lower() in (".jpg", ".jpeg"):
            mark = {"comment": text_mark(path.stem)} if is_marked else {}
            image.save(temporary, format="JPEG", quality=_JPEG_QUALITY, **mark)
        else:
            mark = png_mark(path.stem, picture) if is_marked else None
            image.save(temporary, format="PNG", pnginfo=mark)


@contextlib.contextmanager
def video_writer(
    path: Path, size: Size, frame_rate: Fraction, *, is_marked: bool = False
) -> Iterator[Callable[[np.ndarray], None]]:
    """Opens an .mp4, which gets its name once the block has succeeded, as a function.

    The function adds a picture, uint8 RGB [H, W, 3]. The video is H.264, or MPEG-4 where FFmpeg was
    built without x264. Odd sizes are extended by one row or column, because both store colours at
    half the resolution. Results are marked, see :mod:`mavos_jax.media.marks`.

    Raises:
      ValueError: PyAV is not installed, or cannot write the video.
      OSError: the file cannot be written.
    """
    av = import_av(path)
    height, width = size
    padding = ((0, height % 2), (0, width % 2), (0, 0))
    codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
    rate = min(max(frame_rate, _RATES[0]), _RATES[1]).limit_denominator(_MAX_DENOMINATOR)
    with (
        _named_errors(av, path),
        written_whole(path) as temporary,
        av.open(av_url(temporary), "w", format="mp4") as container,
    ):
        if is_marked:
            container.metadata["comment"] = text_mark(path.stem)
        stream = container.add_stream(codec, rate)
        stream.height, stream.width = height + height % 2, width + width % 2
        stream.pix_fmt = "yuv420p"
        if codec == "libx264":
            stream.options = {"crf": _H264_QUALITY}

        def add(picture: np.ndarray) -> None:
            frame = av.VideoFrame.from_ndarray(np.pad(picture, padding, mode="edge"), "rgb24")
            container.mux(stream.encode(frame))

        yield add
        container.mux(stream.encode())


@contextlib.contextmanager
def _named_errors(av: ModuleType, path: Path) -> Iterator[None]:
    """Raises what PyAV raises as one of Python's own errors that names the file."""
    try:
        yield
    except av.FFmpegError as error:
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise ValueError(
            f"{path}: expected to write a video, found that FFmpeg cannot ({error.strerror}); "
            "choose --overlay pictures"
        ) from error


def draw_overlay(frame: np.ndarray, ids: np.ndarray, opacity: float = 0.5) -> np.ndarray:
    """Tints every object in its PASCAL VOC colour and draws its contour, which is opaque.

    ``frame`` and the result are uint8 RGB [H, W, 3], ``ids`` uint8 [H, W]; 0 and 255 leave the
    frame as it is.
    """
    ids = np.where(ids == IGNORED, 0, ids)
    colours = voc_palette()[ids]
    weight = np.where(contours(ids), 1.0, opacity).astype(np.float32)[..., None]
    mixed = np.rint(frame + weight * (colours.astype(np.float32) - frame)).astype(np.uint8)
    return np.where((ids > 0)[..., None], mixed, frame)


def contours(ids: np.ndarray) -> np.ndarray:
    """Whether a pixel of ``ids`` [H, W] differs from one of its four neighbours, bool [H, W]."""
    padded = np.pad(ids, 1, mode="edge")
    centre = padded[1:-1, 1:-1]
    neighbours = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
    return np.logical_or.reduce([centre != neighbour for neighbour in neighbours])
