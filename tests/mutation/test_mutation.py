"""Damaged files of every kind are read rightly or refused in one line; a few here, all by hand.

By hand: ``pytest -n 2 -m campaign tests/mutation``. A worker that an input kills is replaced; the
damaged files stay in its temporary folder. ``mutation.trial.Trial`` tries one input again.
"""

import faulthandler
import functools
import itertools
import os
import resource
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
from mutation import datasets, media, trial, weights
from mutation.datasets import metadata
from mutation.sound import sound_jpegs, sound_pngs
from mutation.trial import Subject, Trial
from mutation.watch import put

SUBJECTS = {
    "png": (functools.partial(media.pictures, ".png", sound_pngs), 25),
    "jpeg": (functools.partial(media.pictures, ".jpg", sound_jpegs), 25),
    "video": (media.video, 25),
    "npz": (weights.npz, 9),
    "safetensors": (weights.safetensors, 12),
    "pth": (weights.pth, 20),
    "one file": (weights.one_file, 6),
    "checkpoint": (weights.checkpoint, 4),
    "metrics": (weights.metrics, 3),
    "youtube": (functools.partial(metadata, "youtube_vos2019", "train", "youtube_vos"), 4),
    "lvos": (functools.partial(metadata, "lvos2", None, None), 3),
    "davis": (functools.partial(metadata, "davis2017", None, "davis2017"), 3),
    "long": (functools.partial(metadata, "long_time_video", None, None), 4),
    "folder": (functools.partial(metadata, "folder", "train", "folder"), 4),
    "records": (datasets.records, 20),
    "scores": (datasets.scores, 20),
    "submission": (datasets.submission, 20),
}
"""What writes sound files and damages them, and the number of inputs of the short test."""


@pytest.fixture
def start(capfd):
    """Starts trials in a folder whose name has always the same length, which seeds depend on."""
    with tempfile.TemporaryDirectory(prefix="mutations-") as name:
        yield functools.partial(Trial, root=Path(name), read_errors=lambda: capfd.readouterr().err)


@pytest.mark.parametrize("kind", SUBJECTS)
def test_damaged_files_are_read_or_refused(start, kind):
    subject, num_inputs = SUBJECTS[kind]
    tried = start(kind, subject)
    for seed in range(num_inputs):
        tried.run(seed)
    assert not tried.failures
    assert tried.num_right
    # What is wrong with a zip is listed, not raised.
    assert kind == "submission" or tried.num_refused


@pytest.mark.campaign
@pytest.mark.parametrize("first", range(0, 2000, 250))
@pytest.mark.parametrize("kind", SUBJECTS)
def test_thousands_of_damaged_files_are_read_or_refused(start, capfd, kind, first):
    tried = start(kind, SUBJECTS[kind][0])
    tried.run(-1)  # imports, caches and pools are no growth
    limits = resource.getrlimit(resource.RLIMIT_AS)
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + (4 << 30), limits[1]))
    with capfd.disabled():
        error_output = os.dup(2)
    try:
        with os.fdopen(error_output, "w") as errors:
            for seed in range(first, first + 250):
                faulthandler.dump_traceback_later(120, exit=True, file=errors)
                tried.run(seed)
    finally:
        faulthandler.cancel_dump_traceback_later()
        resource.setrlimit(resource.RLIMIT_AS, limits)
    assert not tried.failures


KEPT = []


def refuse(text):
    raise ValueError(text)


RULES = (
    ("KeyError", lambda places: {}["a"]),
    ("not one line", lambda places: refuse(f"{places.tree}/file: expected\nmore")),
    ("names no file", lambda places: refuse("expected a file")),
    ("UserWarning: odd", lambda places: warnings.warn("odd", UserWarning, stacklevel=1)),
    ("said odd", lambda places: os.write(2, b"odd")),
    ("took", lambda places: np.ones(10_000_000)),
    ("kept 60 files open", lambda places: KEPT.extend(os.pipe() for _ in range(30))),
    ("changed files outside", lambda places: (places.outside / "notes.txt").unlink()),
    ("changed files outside", lambda places: put(places.outside / "new" / "file", b"")),
    ("changed its input", lambda places: put(places.tree / "file", b"mended")),
    (None, lambda places: refuse(f"{places.tree}/file: expected a sound file")),
    (None, lambda places: put(places.output / "masks" / "file", b"")),
)


def test_readers_that_break_a_rule_are_found(start, monkeypatch):
    def odd(places):
        put(places.tree / "file", b"sound")

        def reader():
            assert (places.tree / "file").read_bytes() == b"damaged"
            next(readers)(places)

        return Subject([("file", b"sound")], [reader], lambda *_: {"file": b"damaged"})

    readers = (read for _, read in RULES)
    monkeypatch.setattr(trial, "MAX_GROWTH", 50_000_000)
    tried = start("odd", odd)
    for reason, _ in RULES:
        tried.failures.clear()
        tried.run(0)
        assert [str(reason) in x for x in tried.failures] == [True] * (reason is not None), reason
        for number in itertools.chain(*KEPT):
            os.close(number)
        KEPT.clear()
        assert (tried.places.tree / "file").read_bytes() == b"sound"
