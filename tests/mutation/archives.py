"""Damage to zips, with checksums that fit again, and to what lies in them: arrays and pickles."""

import io
import json
import pickletools
import re
import struct
import zipfile

from mutation.changes import change_bytes, change_order, put_number
from mutation.documents import change_document

_END, _CENTRAL, _LOCAL = b"PK\x05\x06", b"PK\x01\x02", b"PK\x03\x04"
_FIELDS = {_END: 22, _CENTRAL: 46, _LOCAL: 30}
"""Lengths of a zip's records, whose fields have 2 or 4 bytes."""

_DATE = (1980, 1, 1, 0, 0, 0)
_SHAPES = ("()", "(0,)", "(-1,)", "(2, 3)", "(10**9, 10**9)", "(1099511627776,)", "(1e3,)")
_HEADERS = ("(" * 500, "[" * 90_000, "{" * 9, "'", '"""', "{'a'", "\0", "1" * 9)
_DTYPES = ("'<f8'", "'|O'", "'<f4,<f4'", "'|V8'", "'<U9'", "'>i2'", "'M8[s]'", "[('a', '<f4')]")
_FIELDS_OF_TENSORS = {
    "dtype": ("F64", "BF16", "BOOL", "F8_E4M3", "I64", "U8", "X"),
    "shape": ([], [0], [1 << 40], [2, 1 << 62], [-1], [1.5]),
    "data_offsets": ([0, 0], [0, 1 << 60], [8, 4], [4], [-4, 0]),
}


def change_zip(rng, data, names):
    """Damages a zip: its bytes, its records, or the names and number of its entries."""
    entries = read_zip(data)
    match rng.randrange(4):
        case 0:
            return change_bytes(rng, data)
        case 1:
            signature = rng.choice((_END, _CENTRAL, _CENTRAL, _LOCAL))
            found = [match.start() for match in re.finditer(re.escape(signature), data)]
            position = rng.choice(found) + 2 * rng.randrange(2, _FIELDS[signature] // 2)
            return put_number(rng, data, position, rng.choice((2, 4)), "little")
        case 2:
            return write_zip(change_order(rng, entries), is_deflated=rng.random() < 0.3)
    chosen = rng.randrange(len(entries))
    entries[chosen] = rng.choice(names), entries[chosen][1]
    return write_zip(entries)


def change_entries(rng, data, changed):
    """Puts content into a zip, whose checksums fit it."""
    entries = [(name, changed.get(name, content)) for name, content in read_zip(data)]
    return write_zip(entries, is_deflated=rng.random() < 0.2)


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
            info = zipfile.ZipInfo("x", _DATE)
            info.filename, info.compress_type = name, kind
            try:
                archive.writestr(info, content)
            except (UnicodeEncodeError, struct.error):  # names that no zip holds
                info.filename = "x"
                archive.writestr(info, content)
    return file.getvalue()


def change_npz(rng, data, names):
    """Damages an archive of arrays: mostly the header of one of them."""
    if rng.random() < 0.4:
        return change_zip(rng, data, names)
    name, array = rng.choice(read_zip(data))
    return change_entries(rng, data, {name: change_array(rng, array)})


def change_array(rng, data):
    """Damages a .npy file: its version, its header's text or its numbers."""
    (length,) = struct.unpack_from("<H", data, 8)
    header, numbers = data[10 : 10 + length].decode(), data[10 + length :]
    match rng.randrange(8):
        case 0:
            return change_bytes(rng, data)
        case 1:
            return put_number(rng, data, rng.choice((6, 7, 8)), rng.choice((1, 2)), "little")
        case 2:
            header = re.sub(r"'shape': \([^)]*\)", f"'shape': {rng.choice(_SHAPES)}", header)
        case 3:
            header = re.sub(r"'descr': '[^']*'", f"'descr': {rng.choice(_DTYPES)}", header)
        case 4:
            header = rng.choice(_HEADERS)
        case 5:
            header = header.replace("False", rng.choice(("True", "None", "0", "f()", "-" * 9000)))
        case 6:
            header = change_bytes(rng, header.encode()).decode("latin-1")
        case _:
            return data[: 10 + length] + change_bytes(rng, numbers)
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
            values = json.loads(header)
            name = rng.choice([name for name in values if name != "__metadata__"])
            field = rng.choice(list(_FIELDS_OF_TENSORS))
            values[name][field] = rng.choice(_FIELDS_OF_TENSORS[field])
            header = json.dumps(values).encode()
        case 3:
            return data[: 8 + length] + change_bytes(rng, numbers)
        case _:
            header = change_document(rng, header.rstrip(), names)
    return struct.pack("<Q", len(header)) + header + numbers


def change_torch(rng, data, names):
    """Damages a PyTorch file: its zip, or the instructions of its pickle."""
    if not data.startswith(b"PK"):
        return change_bytes(rng, data) if rng.random() < 0.4 else change_pickle(rng, data)
    if rng.random() < 0.4:
        return change_zip(rng, data, names)
    entries = dict(read_zip(data))
    pickles = [name for name in entries if name.endswith("data.pkl")]
    name = rng.choice(pickles if rng.random() < 0.8 else list(entries))
    change = change_pickle if name in pickles else change_bytes
    return change_entries(rng, data, {name: change(rng, entries[name])})


def change_pickle(rng, data):
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
