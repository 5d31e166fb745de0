"""What is wrong with the frames of a sequence: every one of them is decoded."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mavos_jax.media.decoding import read_image
from mavos_jax.media.pictures import Size, describe_size, read_header


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
        headers = dict(zip(paths, pool.map(_read_size, paths), strict=True))
        sizes = {path: found for path, found in headers.items() if not isinstance(found, str)}
        faults = {path: found for path, found in headers.items() if isinstance(found, str)}
        usual = _usual_size(sizes)
        # A damaged header may declare any number of pixels.
        fitting = [path for path, size in sizes.items() if size == usual]
        faults |= dict(zip(fitting, pool.map(_find_damage, fitting), strict=True))
    lines = [fault for path in paths if (fault := faults.get(path))]
    lines += [
        f"{path}: expected {describe_size(usual)} as most frames of {name}, found "
        f"{describe_size(found)}; all frames must have one size"
        for path, found in sizes.items()
        if usual is not None and found != usual
    ]
    return sizes, lines


def _read_size(path: Path) -> Size | str:
    """The height and width in a frame's header, or what is wrong with it."""
    try:
        return read_header(path).size
    except ValueError as error:
        return str(error)


def _find_damage(path: Path) -> str | None:
    try:
        read_image(path)
    except ValueError as error:
        return str(error)
    return None


def _usual_size(sizes: Mapping[Path, Size]) -> Size | None:
    """The most frequent size, the first of several; None without any."""
    return max(Counter(sizes.values()).items(), key=lambda item: item[1])[0] if sizes else None
