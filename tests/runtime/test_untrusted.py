import contextlib
import io
import zipfile

import numpy as np
import pytest
from refusals import refuse

from mavos_jax.runtime.untrusted import read_npz

ARRAYS = {
    "scalar": np.float32(3),
    "rows": np.arange(6, dtype=np.float16).reshape(2, 3),
    "columns": np.asfortranarray(np.arange(6, dtype=np.int64).reshape(2, 3)),
    "none": np.zeros((0, 4), np.float32),
}


def packed(header, data=b"\0" * 8, version=b"\x01\x00", **options):
    """Returns an archive of one array with any header."""
    buffer = io.BytesIO()
    text = header.encode("latin1")
    with zipfile.ZipFile(buffer, "w", **options) as archive:
        size = len(text).to_bytes(2 if version[:1] == b"\x01" else 4, "little")
        archive.writestr("weight.npy", b"\x93NUMPY" + version + size + text + data)
    return buffer


def header(shape, descr="'<f4'"):
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n"


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_it_reads_what_numpy_writes(write):
    buffer = io.BytesIO()
    write(buffer, **ARRAYS)
    read = read_npz(buffer)
    assert list(read) == list(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(read[name], array, strict=True)


@pytest.mark.parametrize(
    "content",
    [
        packed(header("(1500000, 1600000)")),  # 8.7 TiB
        packed(header(f"({10**40},)")),
        packed(header("(-2,)")),
        packed(header("(3,)")),
        packed(header("(1,)")),
        packed(header("(2,)", "'|O'")),
        packed(header("(2,)", "'nothing'")),
        packed("{'descr': ("),
        packed("-" * 3000),
        packed("(" * 3000),
        packed("{'descr': '<f4', 'shape': (2L,)}\n"),
        packed(header("(2,)"), version=b"\x09\x00"),
        packed(header("(2,)") + " " * 20000, version=b"\x02\x00"),
        io.BytesIO(b"PK\x03\x04"),
        io.BytesIO(),
    ],
)
def test_strange_headers_are_one_error(content):
    refuse(r"\S", read_npz, content)


@pytest.mark.parametrize("position", range(3, 60, 3))
def test_damaged_archives_are_one_error(position):
    """In the directory at the end, where zipfile raises several kinds."""
    whole = packed(header("(2,)")).getvalue()
    damaged = bytearray(whole)
    damaged[-position] ^= 0xFF
    with contextlib.suppress(ValueError):
        assert read_npz(io.BytesIO(bytes(damaged)))
