"""Programs, run in this process as their last lines do."""

import re

import pytest

from mavos_jax.commands.errors import main_with_errors


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
