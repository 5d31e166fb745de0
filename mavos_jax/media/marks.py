"""Marks in pictures, videos and JSON that tell a run's results from what others put beside them.

A mark names the program, the file and, where pixels are stored without loss, their checksum: a copy
under another name, or a mask that somebody mended, is no result any more.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from PIL.PngImagePlugin import PngInfo

from mavos_jax.media.pictures import opened
from mavos_jax.media.video_file import av_url, import_av
from mavos_jax.runtime.files import checksum

_MAKER = "mavos_jax"
_PNG_KEY = "Software"
_JSON_MARK = re.compile(r'"software": "([^"]*) ([0-9a-f]{8})", ')


def text_mark(name: str) -> str:
    """Returns the mark of a file by its name without suffix, for a JPEG or a video."""
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
    """Whether a run wrote a file under this name, and nobody changed it since.

    An empty file, as a power failure leaves it, has nothing to lose and counts too.
    """
    if path.is_symlink() or not path.is_file():
        return False
    if path.stat().st_size == 0:
        return True
    match path.suffix:
        case ".mp4":
            return _is_marked_video(path)
        case ".json":
            return _is_marked_json(path)
        case _:
            return _is_marked_picture(path)


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
    if mark is None:
        return False
    return mark.groups() == (text_mark(path.stem), checksum(_JSON_MARK.sub("", text, count=1)))


def _is_marked_video(path: Path) -> bool:
    try:
        av = import_av(path)
        with av.open(av_url(path), metadata_errors="replace") as container:
            return container.metadata.get("comment") == text_mark(path.stem)
    except Exception:  # no video, or nothing to read it with
        return False
