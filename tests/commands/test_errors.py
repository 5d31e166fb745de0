import errno
import os
import re
import signal
import subprocess
import sys

import jax
import pytest
from programs import Program, run_python, start_python

from mavos_jax.commands.errors import main_with_errors


def raising(error):
    def main(*_):
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("expected a\n  mask,\n found none"), "expected a mask, found none"),
        (FileNotFoundError(2, "No such file", "a.png"), r"\[Errno 2\] No such file: 'a.png'"),
        (ValueError(), "ValueError"),
        (OSError(errno.EMFILE, "Too many open files", "a.png"), ".*a.png.*ulimit -n.*"),
        (OSError(errno.ENOSPC, "No space left on device", "a.png"), ".*a.png.*same command again"),
        (RecursionError("maximum recursion depth exceeded"), ".*recursion.*"),
        (OverflowError("too large"), ".*too large.*"),
        (RuntimeError("can't start new thread"), ".*ulimit -u.*"),
        (jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory\nx"), ".*max_long_edge.*"),
        (jax.errors.JaxRuntimeError("UNAVAILABLE: the device is gone"), ".*is gone"),
    ],
)
def test_what_users_can_mend_is_one_line(error, line, capsys):
    assert re.fullmatch(rf"error: {line}\n", Program(raising(error), is_silent=True).fail(capsys))


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (MemoryError(), 2, r"error: out of memory.*ulimit -v\)"),
        (MemoryError("for 8.7 TiB"), 2, r"error: out of memory.*ulimit -v\)"),
        (RuntimeError("std::bad_alloc"), 2, r"error: out of memory.*ulimit -v\)"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_out_of_memory_and_interruption_leave_at_once(error, code, line, capsys):
    codes = []
    main_with_errors(raising(error), codes.append)
    assert codes == [code]
    output = capsys.readouterr()
    assert output.out == ""
    assert re.fullmatch(rf"{line}\n", output.err)


@pytest.mark.parametrize("platforms", ["cuda", "CPU", "nothing"])
def test_a_platform_without_a_device_is_one_line(platforms):
    code = "from mavos_jax.commands.errors import *; import jax; main_with_errors(jax.devices)"
    environment = os.environ | {"JAX_PLATFORMS": platforms, "CUDA_VISIBLE_DEVICES": ""}
    _, errors = run_python("-c", code, code=2, env=environment)
    assert re.fullmatch(rf"error: JAX_PLATFORMS={platforms}: .*found none.*\n", errors)


COMPILES = """
import signal, sys, threading, time
import jax, jax.numpy as jnp
from mavos_jax.commands.errors import main_with_errors

signal.signal(signal.SIGINT, signal.default_int_handler)  # shells ignore it in the background

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
    with start_python("-c", COMPILES, env=environment) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "compiling\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=300) == ("half a line", "interrupted\n")
    assert process.returncode == 130


@pytest.mark.parametrize(
    "error",
    [TypeError("a defect"), jax.errors.JaxRuntimeError("INVALID_ARGUMENT: x"), SystemExit(5)],
)
def test_other_exceptions_pass(error):
    with pytest.raises(type(error)) as caught:
        main_with_errors(raising(error))
    assert caught.value is error


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


def redirect(tmp_path, redirections):
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
    _, output = redirect(tmp_path, redirections)
    first = ["line 0 caf\\udce9.png"] if "| " in redirections else []
    # Of two streams in one pipe, the one that is flushed at each line may come first.
    assert output.splitlines() in (first, ["words"] if "2>&1" in redirections else first)


@pytest.mark.parametrize("redirections", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_files_do_not_take_the_place_of_closed_streams(tmp_path, redirections):
    number, _ = redirect(tmp_path, redirections)
    assert number > 2
