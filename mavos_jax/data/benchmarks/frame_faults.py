"""What is wrong with the frames of a sequence: every one of them is decoded."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from mavos_jax.media.decoding import read_image
from mavos_jax.media.pictures import Size, describe_size, read_header


class _Decoded(NamedTuple):
    size: Size | None
    fault: str | None


def find_frame_faults(name: str, paths: Iterable[Path]) -> tuple[dict[Path, Size], list[str]]:
    """Decodes frames, as many at a time as there are CPUs.

    Args:
      name: of their sequence.
      paths: of the frames.

    Returns:
      Height and width, in pixels, of those whose headers tell; and a line for each that is damaged,
      too deep, or of another size than most.
    """
    paths = list(paths)
    # Pillow lets other threads run while it decodes.
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        decoded = dict(zip(paths, pool.map(_decode, paths), strict=True))
    sizes = {path: found.size for path, found in decoded.items() if found.size is not None}
    lines = [found.fault for found in decoded.values() if found.fault is not None]
    usual = _usual_size(sizes)
    lines += [
        f"{path}: expected {describe_size(usual)} as most frames of {name}, found "
        f"{describe_size(found)}; all frames must have one size"
        for path, found in sizes.items()
        if usual is not None and found != usual
    ]
    return sizes, lines


def _decode(path: Path) -> _Decoded:
    size = None
    try:
        size = read_header(path).size
        read_image(path)
    except ValueError as error:
        return _Decoded(size, str(error))
    return _Decoded(size, None)


def _usual_size(sizes: Mapping[Path, Size]) -> Size | None:
    """The most frequent size, the first of several; None without any."""
    return max(Counter(sizes.values()).items(), key=lambda item: item[1])[0] if sizes else None
