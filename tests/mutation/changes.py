"""Damage to bytes, and to the parts that a file is made of."""

import dataclasses
import zlib
from collections.abc import Callable, Mapping, Sequence

NUMBERS = (0, 1, 2, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 8191, 100_000)
"""Values of header fields, besides those at the ends of the field's range."""


def change_bytes(rng, data):
    """Damages a file's content once, or rarely several times."""
    for _ in range(1 if rng.random() < 0.8 else rng.randint(2, 6)):
        data = _change_once(rng, data)
    return data


def _change_once(rng, data):
    start = _position(rng, data)
    end = min(len(data), start + rng.choice((1, 2, 4, 16, 256, len(data))))
    a, b, c, d = sorted(_position(rng, data) for _ in range(4))
    flipped = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 8, 64)) if data else 0):
        flipped[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    field = rng.choice((2, 4, 8)), rng.choice(("big", "little"))
    changes = (
        *2 * (bytes(flipped), put_number(rng, data, start, *field)),
        put_number(rng, data, start, 1),
        data[:start],
        data[:start] + rng.randbytes(rng.choice((1, 2, 4, 17, 300))) + data[start:],
        data[:start] + data[end:],
        data[:end] + data[start:],
        data[:start] + rng.choice((b"\0", b"\xff", b" ")) * (end - start) + data[end:],
        data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:],
    )
    return rng.choice(changes)


def _position(rng, data):
    """Most fields that matter are near the start."""
    near = min(len(data), 64)
    return rng.randint(0, near if rng.random() < 0.3 else len(data))


def put_number(rng, data, position, num_bytes, order="big"):
    """Replaces the field at a position by a value that few writers think of."""
    top = 1 << 8 * num_bytes
    ends = (top - 1, top // 2 - 1, top // 2, top - 2, top // 4, rng.randrange(top))
    field = (rng.choice((*NUMBERS, *ends)) % top).to_bytes(num_bytes, order)
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


@dataclasses.dataclass
class Part:
    """A part of a file: its kind, and its content or the parts in it."""

    kind: bytes
    content: "bytes | list[Part]"


@dataclasses.dataclass(frozen=True)
class Format:
    """Files of parts that begin with a length and a kind, which may be repaired after damage."""

    prefix: bytes
    length: slice
    kind: slice
    not_counted: int  # bytes of a part that its length leaves out
    new_kinds: Sequence[bytes]
    new_content: Callable[..., bytes]
    known: Mapping[bytes, Callable[..., bytes]]  # damage to the content of kinds
    has_checksum: bool = False
    folders: Sequence[bytes] = ()
    last: bytes = b"none"  # what follows a part of this kind is one part without a kind

    def change(self, rng, data):
        """Damages a file: two thirds of the time one of its parts."""
        if rng.random() < 0.35:
            return change_bytes(rng, data)
        parts = self.read(data[len(self.prefix) :])
        places = list(_places(parts))
        siblings, index = rng.choice(places)
        part = siblings[index]
        leaves = [one[i] for one, i in places if isinstance(one[i].content, bytes)]
        match rng.randrange(7):
            case 0:
                siblings[:] = change_order(rng, siblings)
            case 1:
                part.kind = rng.choice((*self.new_kinds, *(leaf.kind for leaf in leaves)))
            case 2:
                new = Part(rng.choice(self.new_kinds), self.new_content(rng))
                siblings.insert(rng.randint(0, len(siblings)), new)
            case 3:  # a length that does not fit
                data, num_bytes = self.write(parts), self.length.stop - self.length.start
                position = data.index(self._write_part(part)) + self.length.start
                return put_number(rng, data, position, num_bytes)
            case 4 | 5:
                leaf = rng.choice([leaf for leaf in leaves if leaf.kind in self.known])
                leaf.content = self.known[leaf.kind](rng, leaf.content)
            case _:
                leaf = rng.choice(leaves)
                leaf.content = change_bytes(rng, leaf.content)
        return self.write(parts)

    def read(self, data):
        """Reads the parts of sound data behind the prefix."""
        parts, position = [], 0
        head = max(self.length.stop, self.kind.stop)
        while position + head <= len(data):
            begin = data[position : position + head]
            end = position + int.from_bytes(begin[self.length]) + self.not_counted
            kind, content = begin[self.kind], data[position + head : end - 4 * self.has_checksum]
            parts.append(Part(kind, self.read(content) if kind in self.folders else content))
            position = end
            if kind == self.last:
                return [*parts, Part(b"", data[end:])]
        return parts

    def write(self, parts):
        """Writes parts with the lengths and checksums that they have."""
        return self.prefix + b"".join(map(self._write_part, parts))

    def _write_part(self, part):
        content = part.content
        if isinstance(content, list):
            content = b"".join(map(self._write_part, content))
        if not part.kind:
            return content
        head = bytearray(max(self.length.stop, self.kind.stop))
        num_bytes = self.length.stop - self.length.start
        length = len(head) + len(content) + 4 * self.has_checksum - self.not_counted
        head[self.length] = (length % (1 << 8 * num_bytes)).to_bytes(num_bytes)
        head[self.kind] = part.kind
        checksum = zlib.crc32(part.kind + content).to_bytes(4) if self.has_checksum else b""
        return bytes(head) + content + checksum


def _places(parts):
    """Yields every part as the list it is in and its index there."""
    for index, part in enumerate(parts):
        yield parts, index
        if isinstance(part.content, list):
            yield from _places(part.content)
