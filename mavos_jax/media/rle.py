"""COCO's run-length encoding of a mask, as YouTube-VIS results store it.

A mask is read down its columns, as the lengths of its runs: zeros, ones, zeros, and so on. The
string holds them in groups of five bits, the lowest first, one character a group; from the fourth
run on, each is stored as its difference to the run before the last.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from mavos_jax.runtime.untrusted import shortened

_FIRST_CHARACTER = 48
_BITS = 5
_GOES_ON, _SIGN = 32, 16


def encode_rle(mask: np.ndarray) -> str:
    """Returns the compressed run lengths of a mask, bool [H, W]."""
    pixels = mask.ravel(order="F")
    ends = [0, *(np.flatnonzero(pixels[1:] != pixels[:-1]) + 1).tolist(), pixels.size]
    runs = [end - start for start, end in itertools.pairwise(ends)]
    if pixels[0]:
        runs.insert(0, 0)
    differences = [*runs[:3], *(run - runs[i + 1] for i, run in enumerate(runs[3:]))]
    return "".join(character for value in differences for character in _characters(value))


def decode_rle(counts: str, size: tuple[int, int]) -> np.ndarray:
    """Returns the mask, bool [H, W], of compressed run lengths.

    Args:
      size: its height and width, in pixels.

    Raises:
      ValueError: the runs are no lengths, or do not fill a mask of that size.
    """
    runs: list[int] = []
    value = shift = 0
    for character in counts:
        group = ord(character) - _FIRST_CHARACTER
        value |= (group & (_GOES_ON - 1)) << shift
        shift += _BITS
        if not group & _GOES_ON:
            value -= (1 << shift) if group & _SIGN else 0
            runs.append(value + runs[-2] if len(runs) > 2 else value)
            value = shift = 0
    if shift or min(runs, default=0) < 0 or sum(runs) != size[0] * size[1]:
        raise ValueError(
            f"expected run lengths of {size[0]}x{size[1]} pixels, found {sum(runs)} in "
            f"{shortened(counts)}"
        )
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(size, order="F")


def _characters(value: int) -> Iterator[str]:
    while True:
        group = value & (_GOES_ON - 1)
        value >>= _BITS
        is_last = value == (-1 if group & _SIGN else 0)
        yield chr(_FIRST_CHARACTER + group + (0 if is_last else _GOES_ON))
        if is_last:
            return
