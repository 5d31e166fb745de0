"""Damage to bytes that needs no knowledge of their format."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TypeVar

Change = Callable[[random.Random, bytes], bytes]
"""Damages a file's content; the same generator state gives the same damage."""

Part = TypeVar("Part")

NUMBERS = (0, 1, 2, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 8191, 100_000)
"""Values of header fields, besides those at the ends of the field's range."""


def change_bytes(rng: random.Random, data: bytes) -> bytes:
    """Applies one of the changes of this module, or rarely several."""
    for _ in range(1 if rng.random() < 0.8 else rng.randint(2, 6)):
        data = rng.choice(_CHANGES)(rng, data)
    return data


def extreme_number(rng: random.Random, num_bytes: int, byteorder: str = "big") -> bytes:
    """Gives a field of some bytes a value that few writers think of."""
    top = 1 << 8 * num_bytes
    ends = (top - 1, top // 2 - 1, top // 2, top - 2, top // 4, rng.randrange(top))
    value = rng.choice((*NUMBERS, *ends)) % top
    return value.to_bytes(num_bytes, "big" if byteorder == "big" else "little")


def put_number(
    rng: random.Random, data: bytes, position: int, num_bytes: int, byteorder: str = "big"
) -> bytes:
    """Replaces the field at a position."""
    field = extreme_number(rng, num_bytes, byteorder)
    return data[:position] + field + data[position + num_bytes :]


def change_order(rng: random.Random, parts: Sequence[Part]) -> list[Part]:
    """Removes, repeats or swaps one or two of several parts."""
    parts = list(parts)
    if not parts:
        return parts
    one, other = rng.randrange(len(parts)), rng.randrange(len(parts))
    match rng.randrange(3):
        case 0:
            del parts[one]
        case 1:
            parts.insert(other, parts[one])
        case _:
            parts[one], parts[other] = parts[other], parts[one]
    return parts


def _flip(rng: random.Random, data: bytes) -> bytes:
    result = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 8, 64)) if data else 0):
        result[rng.randrange(len(result))] ^= 1 << rng.randrange(8)
    return bytes(result)


def _put_byte(rng: random.Random, data: bytes) -> bytes:
    return put_number(rng, data, _position(rng, data), 1)


def _put_field(rng: random.Random, data: bytes) -> bytes:
    num_bytes = rng.choice((2, 4, 8))
    return put_number(rng, data, _position(rng, data), num_bytes, rng.choice(("big", "little")))


def _truncate(rng: random.Random, data: bytes) -> bytes:
    return data[: _position(rng, data)]


def _insert(rng: random.Random, data: bytes) -> bytes:
    position = _position(rng, data)
    return data[:position] + rng.randbytes(rng.choice((1, 2, 4, 17, 300))) + data[position:]


def _remove(rng: random.Random, data: bytes) -> bytes:
    start, end = _span(rng, data)
    return data[:start] + data[end:]


def _repeat(rng: random.Random, data: bytes) -> bytes:
    start, end = _span(rng, data)
    return data[:end] + data[start:]


def _fill(rng: random.Random, data: bytes) -> bytes:
    start, end = _span(rng, data)
    return data[:start] + rng.choice((b"\0", b"\xff", b" ")) * (end - start) + data[end:]


def _swap(rng: random.Random, data: bytes) -> bytes:
    first, second, third, fourth = sorted(_position(rng, data) for _ in range(4))
    blocks = data[:first], data[third:fourth], data[second:third], data[first:second]
    return b"".join(blocks) + data[fourth:]


def _position(rng: random.Random, data: bytes) -> int:
    """Most fields that matter are near the start."""
    near = min(len(data), 64)
    return rng.randint(0, near if rng.random() < 0.3 else len(data))


def _span(rng: random.Random, data: bytes) -> tuple[int, int]:
    start = _position(rng, data)
    return start, min(len(data), start + rng.choice((1, 2, 4, 16, 256, len(data))))


_CHANGES: tuple[Change, ...] = (
    _flip,
    _flip,
    _put_byte,
    _put_field,
    _put_field,
    _truncate,
    _insert,
    _remove,
    _repeat,
    _fill,
    _swap,
)
