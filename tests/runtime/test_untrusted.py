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


def packed(header, version=b"\x01\x00"):
    """Returns an archive of one array with any header."""
    buffer, text = io.BytesIO(), header.encode("latin1")
    with zipfile.ZipFile(buffer, "w") as archive:
        size = len(text).to_bytes(2, "little")
        archive.writestr("weight.npy", b"\x93NUMPY" + version + size + text + b"\0" * 8)
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
        packed(header("(-2,)")),
        packed(header("(2,)", "'|O'")),
        packed("{'descr': ("),
        packed("(" * 3000),
        packed(header("(2,)"), version=b"\x09\x00"),
        io.BytesIO(b"PK\x03\x04"),
        io.BytesIO(),
    ],
)
def test_strange_headers_are_one_error(content):
    refuse(r"\S", read_npz, content)
