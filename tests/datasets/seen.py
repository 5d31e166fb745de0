"""What tests look at in an opened data set, and what they do to its files."""

import contextlib
import json
import shutil

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


def remove(name):
    return lambda root: (root / name).unlink()


def rename(old, new):
    return lambda root: (root / old).rename((root / old).with_name(new))


def write(name, text):
    return lambda root: (root / name).write_text(text)


def change(name, old, new):
    return lambda root: (root / name).write_text((root / name).read_text().replace(old, new))


def empty(name):
    return lambda root: (shutil.rmtree(root / name), (root / name).mkdir())
