"""Programs, run in this process as their last lines do, or in processes of their own."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mavos_jax.commands.errors import main_with_errors

ROOT = Path(__file__).parents[1]


class Program:
    """Runs the program of a ``main``, which may print before it fails unless it is silent."""

    def __init__(self, main, *, is_silent=False):
        self.main, self.is_silent = main, is_silent

    def __call__(self, *words):
        main_with_errors(lambda: self.main([str(word) for word in words]))

    def fail(self, capsys, *words):
        """Runs it: it must end with exit code 2 and one line of error, which is returned."""
        with pytest.raises(SystemExit) as end:
            self(*words)
        assert end.value.code == 2
        output = capsys.readouterr()
        assert re.fullmatch(r"error: .+\n", output.err)
        assert not (self.is_silent and output.out)
        return output.err


def start_python(*words, **options):
    """Starts Python with some words in the root of the repository; pipes have what it prints."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, *map(str, words)], cwd=ROOT, **pipes, **options)


def run_python(*words, code=0, **options):
    """Runs Python, which must end with an exit code; what it prints and its errors."""
    with start_python(*words, **options) as process:
        output, errors = process.communicate()
    assert process.returncode == code, errors
    return output, errors
