"""Damage to bytes, and to the parts that a file is made of."""

import re
import zlib

_NUMBERS = (0, 1, 2, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 8191, 12_000, 100_000)
"""Values of header fields, besides those at the ends of the field's range."""
_MARKS = re.compile(rb"[A-Za-z]{4}|PK[\1-\6][\2-\7]|\xff[\xc0-\xfe]|\x93NUMPY")
"""What parts of PNG, JPEG, MP4, zip and others begin with, near which most fields are."""
_PNG = b"\x89PNG\r\n\x1a\n"


def change_bytes(rng, data):
    """Damages a file's content once, or rarely several times."""
    for _ in range(1 if rng.random() < 0.8 else rng.randint(2, 6)):
        data = _change_once(rng, data)
    return data


def _change_once(rng, data):
    places = [0, *(mark.start() for mark in _MARKS.finditer(data[:100_000]))]

    def choose():
        if rng.random() < 0.5:
            return rng.randint(0, len(data))
        return min(len(data), max(0, rng.choice(places) + rng.randint(-8, 30)))

    start = choose()
    end = min(len(data), start + rng.choice((1, 2, 4, 16, 256, len(data))))
    a, b, c, d = sorted(choose() for _ in range(4))
    flipped = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 8, 64)) if data else 0):
        flipped[min(choose(), len(data) - 1)] ^= 1 << rng.randrange(8)
    field = rng.choice((2, 4, 8)), rng.choice(("big", "little"))
    changes = (
        *2 * (bytes(flipped), _put_number(rng, data, start, *field)),
        _put_number(rng, data, start, 1),
        data[:start],
        data[:start] + rng.randbytes(rng.choice((1, 2, 4, 17, 300))) + data[start:],
        data[:start] + data[end:],
        data[:end] + data[start:],
        data[:start] + rng.choice((b"\0", b"\xff", b" ")) * (end - start) + data[end:],
        data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:],
    )
    return rng.choice(changes)


def _put_number(rng, data, position, num_bytes, order="big"):
    """Replaces the field at a position by a value that few writers think of."""
    top = 1 << 8 * num_bytes
    ends = (top - 1, top // 2 - 1, top // 2, top - 2, top // 4, rng.randrange(top))
    field = (rng.choice((*_NUMBERS, *ends)) % top).to_bytes(num_bytes, order)
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


def change_png(rng, data):
    """Damages the chunks of a PNG, one as its pixels are; checksums mostly fit again."""
    chunks, position = [], len(_PNG)
    while position < len(data):
        end = position + 12 + int.from_bytes(data[position : position + 4])
        chunks.append((data[position + 4 : position + 8], data[position + 8 : end - 4]))
        position = end
    index = rng.randrange(len(chunks))
    kind, content = chunks[index]
    match rng.randrange(5):
        case 0:
            return change_bytes(rng, data)
        case 1:
            chunks = change_order(rng, chunks)
        case 2 if kind == b"IDAT":
            chunks[index] = kind, zlib.compress(change_bytes(rng, zlib.decompress(content)))
        case 3:
            chunks[index] = rng.choice(chunks)[0], content
        case _:
            chunks[index] = kind, change_bytes(rng, content)
    return _PNG + b"".join(
        len(content).to_bytes(4) + kind + content + zlib.crc32(kind + content).to_bytes(4)
        for kind, content in chunks
    )
