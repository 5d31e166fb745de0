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


def packed(shape):
    """Returns an archive of one array whose header has any text as its shape."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        size = len(header).to_bytes(2, "little")
        archive.writestr("weight.npy", b"\x93NUMPY\1\0" + size + header.encode() + b"\0" * 8)
    return buffer


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
        *(packed(shape) for shape in ("(1500000, 1600000)", "(-2,)", "(" * 3000)),  # 8.7 TiB first
        *(io.BytesIO(b"PK\x03\x04"), io.BytesIO()),
    ],
)
def test_strange_headers_are_one_error(content):
    refuse(r"\S", read_npz, content)
