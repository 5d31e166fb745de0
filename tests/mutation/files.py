"""Damage to a file as its suffix says: in zips to what lies in them, with checksums that fit."""

import io
import pickletools
import struct
import zipfile
from pathlib import PurePath

from mutation.changes import change_bytes, change_order, change_png
from mutation.documents import change_document, change_lines, change_word

_TYPES = ("F64", "BF16", "BOOL", "F8_E4M3", "I64", "U8")
"""Types of safetensors."""

_WORDS = (
    *("-1", "0", "2", str(10**9), str(1 << 40), "1e3", "True", "None", "f()", "-" * 9000, "'"),
    *("|O", "<f8", "<f4,<f4", "|V8", "<U9", ">i2", "M8[s]", "(" * 500, "[" * 90_000, "\0"),
)
"""What replaces a word in the header of an array."""


def change_file(rng, name, data, names):
    """Damages a file's content as its suffix says; names in it may become ``names``."""
    suffix = "zip" if data.startswith(b"PK") else PurePath(name).suffix.removeprefix(".")
    match suffix:
        case "zip":
            return _change_zip(rng, data, names)
        case "png":
            return change_png(rng, data)
        case "txt":
            return change_lines(rng, data, names)
        case "json":
            return change_document(rng, data, names)
        case "jsonl":
            first, _, others = data.partition(b"\n")
            changed = change_document(rng, first, names) + b"\n" + others
            return rng.choice((changed, change_bytes(rng, data)))
        case "npy":
            return _change_array(rng, data)
        case "safetensors":
            return _change_safetensors(rng, data, names)
        case "pkl" | "pth":
            return (change_bytes if rng.random() < 0.4 else _change_pickle)(rng, data)
        case _:
            return change_bytes(rng, data)


def _change_zip(rng, data, names):
    """Damages what lies in a zip, mostly what has a structure, or names, order or the zip."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = [(info.filename, archive.read(info)) for info in archive.infolist()]
    structured = [entry for entry in entries if entry[0].endswith((".npy", ".pkl", ".png"))]
    name, content = chosen = rng.choice(structured if rng.random() < 0.8 else entries)
    index = entries.index(chosen)
    match rng.randrange(10):
        case 0 | 1:
            return change_bytes(rng, data)
        case 2:
            entries = change_order(rng, entries)
        case 3:
            entries[index] = rng.choice(names), content
        case _:
            entries[index] = name, change_file(rng, name, content, names)
    file = io.BytesIO()
    kind = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
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


def _change_array(rng, data):
    """Damages a .npy file: a word of its header or all of it, or its bytes."""
    (length,) = struct.unpack_from("<H", data, 8)
    header, numbers = data[10 : 10 + length].decode(), data[10 + length :]
    match rng.randrange(6):
        case 0:
            return change_bytes(rng, data)
        case 1:
            return data[: 10 + length] + change_bytes(rng, numbers)
        case 2:
            header = rng.choice((*_WORDS, change_bytes(rng, header.encode()).decode("latin-1")))
        case _:
            header = change_word(rng, header, _WORDS)
    text = header.encode("latin-1", "replace")
    return data[:6] + b"\2\0" + struct.pack("<I", len(text)) + text + numbers


def _change_safetensors(rng, data, names):
    """Damages a file of safetensors: mostly the header, whose length fits again."""
    (length,) = struct.unpack_from("<Q", data)
    header, numbers = data[8 : 8 + length], data[8 + length :]
    match rng.randrange(5):
        case 0:
            return change_bytes(rng, data)
        case 1:
            return data[: 8 + length] + change_bytes(rng, numbers)
        case _:
            header = change_document(rng, header.rstrip(), (*names, *8 * _TYPES))
    return struct.pack("<Q", len(header)) + header + numbers


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
