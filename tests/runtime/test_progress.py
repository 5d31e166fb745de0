import sys

import pytest

from mavos_jax.runtime import progress as module
from mavos_jax.runtime.progress import Progress, say


@pytest.fixture
def started(monkeypatch):
    """Starts progress at second 0, with ticks of the test's; returns it and the lines it says."""
    monkeypatch.setattr(module.time, "monotonic", lambda: 0.0)
    monkeypatch.setattr(module, "_SECONDS_BETWEEN_LOOKS", 1e6)

    def start(total, **named):
        lines = []
        return Progress(total, "segmenting", say=lines.append, **named), lines

    return start


def test_a_line_every_half_minute_says_how_far_it_is(started):
    progress, lines = started(1000)
    with progress:
        for second in range(1, 62):
            progress.advance(2)
            progress._look(float(second))
    assert lines == [
        "segmenting: 60 of 1000 frames, 2.00 a second, about 8 min left",
        "segmenting: 120 of 1000 frames, 2.00 a second, about 7 min left",
    ]


def test_of_an_unknown_number_no_end_is_foretold(started):
    progress, lines = started(None, unit="mask")
    with progress:
        progress.advance(3)
        progress._look(30.0)
    assert lines == ["segmenting: 3 masks, 0.10 a second"]


def test_a_line_says_that_a_program_compiles(started, monkeypatch):
    progress, lines = started(5)
    with progress:
        progress._look(30.0)
        monkeypatch.setattr(module, "is_compiling", lambda: True)
        progress._look(60.0)
    assert [line.endswith(", compiling") for line in lines] == [False, True]


def test_a_short_work_says_nothing(capsys):
    with Progress(2, "segmenting") as progress:
        progress.advance()
    assert capsys.readouterr() == ("", "")


def test_a_reader_that_left_ends_nothing(monkeypatch):
    class Closed:
        def write(self, text):
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", Closed())
    say("anything")
