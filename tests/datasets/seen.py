"""What tests look at in an opened data set, and how they change its metadata."""

import contextlib
import json

import numpy as np
from PIL import Image

from mavos_jax.datasets import open_benchmark


def names(paths):
    return [path.stem for path in paths]


def given(sequence):
    return {t: (mask.path.stem, mask.ids) for t, mask in sequence.given.items()}


def contents(options):
    """The bytes of all files and what is known about them, wherever they lie."""
    return [
        (
            *(s.name, s.saved, s.spans, s.categories),
            [path.read_bytes() for path in s.frames],
            {t: (mask.path.read_bytes(), mask.ids) for t, mask in s.given.items()},
            {t: path.read_bytes() for t, path in s.truth.items()},
        )
        for s in open_benchmark(options).sequences
    ]


def read(path):
    with Image.open(path) as image:
        return np.asarray(image)


@contextlib.contextmanager
def change_json(path):
    """Gives the content of a file to be changed, and writes it again."""
    content = json.loads(path.read_text())
    yield content
    path.write_text(json.dumps(content))
