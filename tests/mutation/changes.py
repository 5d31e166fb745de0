"""Damage to bytes that needs no knowledge of their format."""

from typing import Literal, TypeVar

Part = TypeVar("Part")
Order = Literal["big", "little"]

NUMBERS = (0, 1, 2, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 8191, 100_000)
"""Values of header fields, besides those at the ends of the field's range."""


def change_bytes(rng, data):
    """Damages a file's content once, or rarely several times."""
    for _ in range(1 if rng.random() < 0.8 else rng.randint(2, 6)):
        data = _change_once(rng, data)
    return data


def extreme_number(rng, num_bytes, order="big"):
    """Gives a field of some bytes a value that few writers think of."""
    top = 1 << 8 * num_bytes
    ends = (top - 1, top // 2 - 1, top // 2, top - 2, top // 4, rng.randrange(top))
    return (rng.choice((*NUMBERS, *ends)) % top).to_bytes(num_bytes, order)


def put_number(rng, data, position, num_bytes, order="big"):
    """Replaces the field at a position."""
    field = extreme_number(rng, num_bytes, order)
    return data[:position] + field + data[position + num_bytes :]


def change_order(rng, parts):
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


def _change_once(rng, data):
    start = _position(rng, data)
    end = min(len(data), start + rng.choice((1, 2, 4, 16, 256, len(data))))
    match rng.randrange(11):
        case 0 | 1 if data:
            flipped = bytearray(data)
            for _ in range(rng.choice((1, 1, 1, 2, 8, 64))):
                flipped[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            return bytes(flipped)
        case 2:
            return put_number(rng, data, start, 1)
        case 3 | 4:
            order = rng.choice(("big", "little"))
            return put_number(rng, data, start, rng.choice((2, 4, 8)), order)
        case 5:
            return data[:start]
        case 6:
            return data[:start] + rng.randbytes(rng.choice((1, 2, 4, 17, 300))) + data[start:]
        case 7:
            return data[:start] + data[end:]
        case 8:
            return data[:end] + data[start:]
        case 9:
            return data[:start] + rng.choice((b"\0", b"\xff", b" ")) * (end - start) + data[end:]
    first, second, third, fourth = sorted(_position(rng, data) for _ in range(4))
    blocks = data[:first], data[third:fourth], data[second:third], data[first:second]
    return b"".join(blocks) + data[fourth:]


def _position(rng, data):
    """Most fields that matter are near the start."""
    near = min(len(data), 64)
    return rng.randint(0, near if rng.random() < 0.3 else len(data))
