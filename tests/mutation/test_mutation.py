"""Damaged files of every kind are read rightly or refused in one line; a few here, all by hand.

By hand: ``pytest -n 2 -m campaign tests/mutation``. A worker that an input kills is replaced; the
damaged files stay in its temporary folder. ``mutation.trial.Trial`` tries one input again.
"""

import faulthandler
import functools
import os
import resource
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
from mutation import datasets, media, trial, weights
from mutation.pictures import change_jpeg, change_png, sound_jpegs, sound_pngs
from mutation.trial import Damage, Trial, put

SUBJECTS = {
    "png": functools.partial(media.pictures, ".png", sound_pngs, change_png),
    "jpeg": functools.partial(media.pictures, ".jpg", sound_jpegs, change_jpeg),
    "mp4": media.video,
    "npz": weights.npz,
    "safetensors": weights.safetensors,
    "pth": weights.pth,
    "checkpoint": weights.checkpoint,
    "metadata": datasets.metadata,
    "records": datasets.records,
    "scores": datasets.scores,
    "submission": datasets.submission,
}
NUM_INPUTS = {
    **{"png": 25, "jpeg": 25, "mp4": 25, "npz": 9, "safetensors": 12, "pth": 20, "checkpoint": 6},
    **{"metadata": 12, "records": 20, "scores": 20, "submission": 20},
}


@pytest.fixture
def folder():
    """A folder whose name is as long as those of the campaign, so that its seeds do the same."""
    with tempfile.TemporaryDirectory(prefix="mutations-") as name:
        yield Path(name)


@pytest.mark.parametrize("kind", NUM_INPUTS)
def test_damaged_files_are_read_or_refused(folder, kind):
    run = Trial(kind, SUBJECTS[kind], folder).run
    outcomes = [run(seed) for seed in range(NUM_INPUTS[kind])]
    assert not [failure for outcome in outcomes for failure in outcome.failures]
    assert any(outcome.num_right for outcome in outcomes)
    # What is wrong with a zip is listed, not raised.
    assert kind == "submission" or any(outcome.num_refused for outcome in outcomes)


@pytest.mark.campaign
@pytest.mark.parametrize("start", range(0, 2000, 250))
@pytest.mark.parametrize("kind", SUBJECTS)
def test_thousands_of_damaged_files_are_read_or_refused(folder, kind, start):
    run = Trial(kind, SUBJECTS[kind], folder).run
    run(-1)  # imports, caches and pools are no growth
    limits = resource.getrlimit(resource.RLIMIT_AS)
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + (4 << 30), limits[1]))
    failures = []
    try:
        with os.fdopen(os.dup(2), "w") as errors:  # the standard error output is listened to
            for seed in range(start, start + 250):
                faulthandler.dump_traceback_later(120, exit=True, file=errors)
                failures += run(seed).failures
    finally:
        faulthandler.cancel_dump_traceback_later()
        resource.setrlimit(resource.RLIMIT_AS, limits)
    assert not failures


KEPT = []


def break_rule(rule, places):
    """A reader that does what it must not."""
    path = places.tree / "file"
    assert path.read_bytes() == b"damaged"
    match rule:
        case "exception":
            raise KeyError("a")
        case "two lines":
            raise ValueError(f"{path}: expected\nmore")
        case "no name":
            raise ValueError("expected a file")
        case "warning":
            warnings.warn("odd", UserWarning, stacklevel=1)
        case "library":
            os.write(2, b"odd")
        case "memory":
            np.ones(10_000_000)
        case "open file":
            KEPT.extend(path.open() for _ in range(60))
        case "outside":
            (places.outside / "notes.txt").unlink()
        case "outside too":
            put(places.outside / "new" / "file", b"")
        case "input":
            path.write_bytes(b"mended")
        case "refused":
            raise ValueError(f"{path}: expected a sound file")
        case "output":
            put(places.output / "masks" / "file", b"")


RULES = {
    "exception": "KeyError",
    "two lines": "not one line",
    "no name": "names no file",
    "warning": "UserWarning: odd",
    "library": "said odd",
    "memory": "took",
    "open file": "kept 60 files open",
    "outside": "changed files outside",
    "outside too": "changed files outside",
    "input": "changed its input",
    "refused": None,
    "output": None,
}


def test_readers_that_break_a_rule_are_found(folder, monkeypatch):
    def odd(places):
        put(places.tree / "file", b"sound")

        def read():
            break_rule(rule, places)

        return lambda _: Damage({"file": b"damaged"}, [read])

    monkeypatch.setattr(trial, "MAX_GROWTH", 50_000_000)
    tried = Trial("odd", odd, folder)
    for rule, reason in RULES.items():
        failures = tried.run(0).failures
        assert len(failures) == (reason is not None), rule
        if reason is not None:
            assert reason in failures[0], rule
        while KEPT:
            KEPT.pop().close()
        assert (tried.places.tree / "file").read_bytes() == b"sound"
        assert [p.name for p in tried.places.outside.iterdir()] == ["notes.txt"]
