"""Damage to zips, with checksums that fit again, and to what lies in them: arrays and pickles."""

import io
import json
import pickletools
import re
import struct
import zipfile

from mutation.changes import change_bytes, change_order, put_number
from mutation.documents import change_document

_RECORDS = ((b"PK\x05\x06", 22), *2 * ((b"PK\x01\x02", 46),), (b"PK\x03\x04", 30))
"""Signatures and lengths of a zip's records, whose fields have 2 or 4 bytes."""

_HEADERS = (
    (
        r"\([^)]*\)",
        ("()", "(0,)", "(-1,)", "(2, 3)", f"({10**9}, {10**9})", f"({1 << 40},)", "(1e3,)"),
    ),
    (r"[<|]\w+", ("<f8", "|O", "<f4,<f4", "|V8", "<U9", ">i2", "M8[s]", "', ('a', '<f4'), '")),
    ("False", ("True", "None", "0", "f()", "-" * 9000)),
    ("(?s).+", ("(" * 500, "[" * 90_000, "{" * 9, "'", '"""', "{'a'", "\0", "1" * 9)),
)
"""Parts of an array's header, its shape, type, order and the whole, and what replaces them."""

_TENSORS = (
    *({"dtype": kind} for kind in ("F64", "BF16", "BOOL", "F8_E4M3", "I64", "U8", "X")),
    *({"shape": shape} for shape in ([], [0], [1 << 40], [2, 1 << 62], [-1], [1.5])),
    *({"data_offsets": ends} for ends in ([0, 0], [0, 1 << 60], [8, 4], [4], [-4, 0])),
)


def change_zip(rng, data, names, change=change_bytes, suffix=""):
    """Damages a zip, half of the time an entry with a suffix; or its records, names or order."""
    entries = read_zip(data)
    chosen = rng.choice([i for i, (name, _) in enumerate(entries) if name.endswith(suffix)])
    other = rng.randrange(len(entries))
    match rng.randrange(10):
        case 0:
            return change_bytes(rng, data)
        case 1:
            signature, size = rng.choice(_RECORDS)
            found = [match.start() for match in re.finditer(re.escape(signature), data)]
            position = rng.choice(found) + 2 * rng.randrange(2, size // 2)
            return put_number(rng, data, position, rng.choice((2, 4)), "little")
        case 2:
            entries = change_order(rng, entries)
        case 3:
            entries[other] = rng.choice(names), entries[other][1]
        case 4:
            entries[other] = entries[other][0], change_bytes(rng, entries[other][1])
        case _:
            entries[chosen] = entries[chosen][0], change(rng, entries[chosen][1])
    return write_zip(entries, is_deflated=rng.random() < 0.3)


def read_zip(data):
    """Reads names and content of all entries."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [(info.filename, archive.read(info)) for info in archive.infolist()]


def write_zip(entries, *, is_deflated=False):
    """Writes a zip; the same entries give the same bytes."""
    file = io.BytesIO()
    kind = zipfile.ZIP_DEFLATED if is_deflated else zipfile.ZIP_STORED
    with zipfile.ZipFile(file, "w", kind) as archive:
        for name, content in entries:
            info = zipfile.ZipInfo("x")
            info.filename, info.compress_type = name, kind
            try:
                archive.writestr(info, content)
            except (UnicodeEncodeError, struct.error):  # names that no zip holds
                info.filename = "x"
                archive.writestr(info, content)
    return file.getvalue()


def change_npz(rng, data, names):
    return change_zip(rng, data, names, _change_array)


def _change_array(rng, data):
    """Damages a .npy file: its version, its header's text or its numbers."""
    (length,) = struct.unpack_from("<H", data, 8)
    header, numbers = data[10 : 10 + length].decode(), data[10 + length :]
    match rng.randrange(8):
        case 0:
            return change_bytes(rng, data)
        case 1:
            return put_number(rng, data, rng.choice((6, 7, 8)), rng.choice((1, 2)), "little")
        case 2:
            return data[: 10 + length] + change_bytes(rng, numbers)
        case 3:
            header = change_bytes(rng, header.encode()).decode("latin-1")
        case _:
            pattern, values = rng.choice(_HEADERS)
            value = rng.choice(values)
            header = re.sub(pattern, lambda _: value, header, count=1)
    text = header.encode("latin-1", "replace")
    return data[:6] + b"\2\0" + struct.pack("<I", len(text)) + text + numbers


def change_safetensors(rng, data, names):
    """Damages a file of safetensors: mostly the header, whose length fits again."""
    (length,) = struct.unpack_from("<Q", data)
    header, numbers = data[8 : 8 + length], data[8 + length :]
    match rng.randrange(6):
        case 0:
            return change_bytes(rng, data)
        case 1:
            return put_number(rng, data, 0, 8, "little")
        case 2:
            return data[: 8 + length] + change_bytes(rng, numbers)
        case 3:
            values = json.loads(header)
            values[rng.choice([*values])] |= rng.choice(_TENSORS)
            header = json.dumps(values).encode()
        case _:
            header = change_document(rng, header.rstrip(), names)
    return struct.pack("<Q", len(header)) + header + numbers


def change_torch(rng, data, names):
    """Damages a PyTorch file: its zip, or the instructions of its pickle."""
    if data.startswith(b"PK"):
        return change_zip(rng, data, names, _change_pickle, "data.pkl")
    return (change_bytes if rng.random() < 0.4 else _change_pickle)(rng, data)


def _change_pickle(rng, data):
    """Removes, repeats, swaps or damages instructions of the first pickle in some bytes."""
    positions = [position for _, _, position in pickletools.genops(data) if position is not None]
    ends = [*positions[1:], positions[-1] + 1]
    parts = [data[start:end] for start, end in zip(positions, ends, strict=True)]
    if rng.random() < 0.5:
        parts = change_order(rng, parts)
    else:
        chosen = rng.randrange(len(parts))
        parts[chosen] = parts[chosen][:1] + change_bytes(rng, parts[chosen][1:])
    return b"".join(parts) + data[ends[-1] :]
