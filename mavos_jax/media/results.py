"""Pictures, videos and JSON that a run writes, with marks that tell them from other files.

A mark names the program, the file and, where pixels are stored without loss, their checksum: a copy
under another name, or a mask that somebody mended, is no result any more.
"""

import contextlib
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from mavos_jax.config import IGNORED
from mavos_jax.media.confidence import is_confidence
from mavos_jax.media.masks import voc_palette
from mavos_jax.media.pictures import Size, opened
from mavos_jax.media.video_file import av_url, import_av
from mavos_jax.runtime.files import checksum, written_whole

_MAKER = "mavos_jax"
_PNG_KEY = "Software"
_JSON_MARK = re.compile(r'"software": "([^"]*) ([0-9a-f]{8})", ')


def text_mark(name: str) -> str:
    """Returns the mark of a JPEG or a video by its name without suffix."""
    return f"{_MAKER} {name.encode(errors='backslashreplace').decode()}"  # PNG takes no surrogates


def png_mark(name: str, pixels: np.ndarray) -> PngInfo:
    """Returns the mark of a PNG by its name without suffix and its pixels, uint8."""
    info = PngInfo()
    info.add_text(_PNG_KEY, f"{text_mark(name)} {checksum(pixels.tobytes())}")
    return info


def marked_json(name: str, text: str) -> str:
    """Returns JSON whose first object carries the mark of a file by its name without suffix."""
    return text.replace("{", f'{{"software": "{text_mark(name)} {checksum(text)}", ', 1)


def is_marked(path: Path) -> bool:
    """Whether a run wrote a file, perhaps an empty one, and nobody changed or renamed it since."""
    if path.is_symlink() or not path.is_file():
        return False
    if path.stat().st_size == 0:
        return True
    judges = {".mp4": _is_marked_video, ".json": _is_marked_json, ".csv": is_confidence}
    return judges.get(path.suffix, _is_marked_picture)(path)


def _is_marked_picture(path: Path) -> bool:
    expected = text_mark(path.stem)
    is_half = False  # the beginning of a marked file
    try:
        with opened(path, "a result") as (image, header):
            if header.kind == "JPEG":
                return image.info.get("comment") == expected.encode()
            before, _, found = str(image.info.get(_PNG_KEY, "")).rpartition(" ")
            is_half = before == expected
            return is_half and found == checksum(np.asarray(image).tobytes())
    except ValueError:
        return is_half


def _is_marked_json(path: Path) -> bool:
    text = path.read_text(encoding="utf-8", errors="replace")
    mark = _JSON_MARK.search(text)
    expected = text_mark(path.stem), checksum(_JSON_MARK.sub("", text, count=1))
    return mark is not None and mark.groups() == expected


def _is_marked_video(path: Path) -> bool:
    try:
        with import_av(path).open(av_url(path), metadata_errors="replace") as container:
            return container.metadata.get("comment") == text_mark(path.stem)
    except Exception:  # no video, or nothing to read it with
        return False


_JPEG_QUALITY = 90
_MAX_NUMERATOR, _MAX_DENOMINATOR = 65535, 1001  # MPEG-4 takes 16 bits; broadcast is n / 1001
_RATES = (Fraction(1, _MAX_DENOMINATOR), Fraction(1000))
_H264_QUALITY = "18"


def write_picture(path: Path, picture: np.ndarray, *, is_marked: bool = False) -> None:
    """Writes uint8 RGB [H, W, 3] as a .jpg or .png, under its name only once it is whole."""
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
    """Opens an .mp4, which gets its name once the block has succeeded.

    Yields a function that adds a picture, uint8 RGB [H, W, 3]. The video is H.264, or MPEG-4 if
    FFmpeg lacks x264; both store colours at half the resolution, so odd sizes are extended by one
    row or column.
    """
    av = import_av(path)
    height, width = size
    padding = ((0, height % 2), (0, width % 2), (0, 0))
    codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
    rate = min(max(frame_rate, _RATES[0]), _RATES[1]).limit_denominator(_MAX_DENOMINATOR)
    if codec == "mpeg4" and rate.numerator > _MAX_NUMERATOR:
        rate = Fraction(round(rate))
    try:
        with (
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
    except av.FFmpegError as error:
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise ValueError(
            f"{path}: expected to write a video, found that FFmpeg cannot ({error.strerror}); "
            "choose --overlay pictures"
        ) from error


def draw_overlay(frame: np.ndarray, ids: np.ndarray, opacity: float = 0.5) -> np.ndarray:
    """Tints every object of ``ids``, uint8 [H, W], and draws its opaque contour over uint8 RGB."""
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
