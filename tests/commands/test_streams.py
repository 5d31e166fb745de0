import subprocess
import sys

import pytest

PRINTS = """
import os, sys
from mavos_jax.commands.errors import lasting_streams
before = sys.stdout
with lasting_streams():
    for number in range(5000):
        print("line", number, "caf\\udce9.png")
        print("words", file=sys.stderr)
    with open(sys.argv[1], "w") as file:
        print(file.fileno(), file=file)
assert sys.stdout is before
"""


def run(tmp_path, redirections):
    """Runs the program as a shell does with these redirections; returns what it wrote last."""
    command = f'"$0" -c "$1" "$2" {redirections}'
    words = [sys.executable, PRINTS, str(tmp_path / "result")]
    status = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command, *words], capture_output=True, text=True
    )
    assert status.returncode == 0, status.stderr
    return int((tmp_path / "result").read_text()), status.stdout


@pytest.mark.parametrize(
    "redirections", ["| head -1", "2>&1 | head -1", ">/dev/full", "2>/dev/full >/dev/full"]
)
def test_words_that_nobody_reads_end_nothing(tmp_path, redirections):
    _, output = run(tmp_path, redirections)
    assert output.splitlines() == (["line 0 caf\\udce9.png"] if "| " in redirections else [])


@pytest.mark.parametrize("redirections", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_files_do_not_take_the_place_of_closed_streams(tmp_path, redirections):
    number, _ = run(tmp_path, redirections)
    assert number > 2
