"""How scripts end: one line for errors that users can mend, tracebacks for defects."""

import os
import signal
import subprocess
import sys

import pytest

from mavos_jax.command_line import main_with_errors


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("expected a\n  mask,\n found none"), "error: expected a mask, found none\n"),
        (FileNotFoundError(2, "No such file", "a.png"), "error: [Errno 2] No such file: 'a.png'\n"),
        (ValueError(), "error: ValueError\n"),
    ],
)
def test_errors_that_users_can_mend_are_one_line(error, line, capsys):
    def main():
        raise error

    with pytest.raises(SystemExit) as stop:
        main_with_errors(main)
    assert stop.value.code == 2
    assert capsys.readouterr() == ("", line)


def test_interruption_leaves_with_130(capsys):
    def main():
        raise KeyboardInterrupt

    codes = []
    main_with_errors(main, codes.append)
    assert codes == [130]
    assert capsys.readouterr() == ("", "interrupted\n")


COMPILES = """
import sys, threading, time
import jax, jax.numpy as jnp
from mavos_jax.command_line import main_with_errors

def slow(x):
    for i in range(4000):
        x = jnp.sin(x) @ (x + i)
    return x

def main():
    lowered = jax.jit(slow).lower(jnp.ones((4, 4)))
    threading.Thread(target=lowered.compile, daemon=True).start()
    time.sleep(0.5)
    print("half a line", end="")
    print("compiling", file=sys.stderr, flush=True)
    while True:
        time.sleep(0.1)  # a signal just before a sleep is seen after it

main_with_errors(main)
"""


def test_interruption_while_compiling_is_no_crash():
    environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": "", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", COMPILES]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "compiling\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60) == ("half a line", "interrupted\n")
    assert process.returncode == 130


@pytest.mark.parametrize("error", [TypeError("a defect"), SystemExit(5)])
def test_other_exceptions_pass(error):
    def main():
        raise error

    with pytest.raises(type(error)) as caught:
        main_with_errors(main)
    assert caught.value is error


def test_success_returns():
    assert main_with_errors(lambda: None) is None
