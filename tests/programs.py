"""Programs, run in this process as their last lines do."""

import re

import pytest

from mavos_jax.commands.errors import main_with_errors


class Program:
    """Runs the program of a ``main``."""

    def __init__(self, main):
        self.main = main

    def __call__(self, *words):
        main_with_errors(lambda: self.main([str(word) for word in words]))

    def fail(self, capsys, *words):
        """Runs it: it must end with exit code 2 and one line of error, which is returned."""
        with pytest.raises(SystemExit) as end:
            self(*words)
        assert end.value.code == 2
        output = capsys.readouterr()
        assert re.fullmatch(r"error: .+\n", output.err)
        return output.err
