"""How scripts end: one line for errors that users can mend, tracebacks for defects."""

import errno
import os
import re
import signal
import subprocess
import sys

import jax
import pytest
from programs import Program

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
    "error", [MemoryError(), MemoryError("for 8.7 TiB"), RuntimeError("std::bad_alloc")]
)
def test_out_of_memory_leaves_at_once(error, capsys):
    codes = []
    main_with_errors(raising(error), codes.append)
    assert codes == [2]
    assert re.fullmatch(r"error: out of memory.*ulimit -v\)\n", capsys.readouterr().err)


@pytest.mark.parametrize("platforms", ["cuda", "CPU", "nothing"])
def test_a_platform_without_a_device_is_one_line(platforms):
    command = (
        "from mavos_jax.commands.errors import main_with_errors as m; import jax; m(jax.devices)"
    )
    environment = os.environ | {"JAX_PLATFORMS": platforms, "CUDA_VISIBLE_DEVICES": ""}
    result = subprocess.run(
        [sys.executable, "-c", command], env=environment, capture_output=True, text=True
    )
    assert result.returncode == 2
    assert re.fullmatch(rf"error: JAX_PLATFORMS={platforms}: .*found none.*\n", result.stderr)


def test_interruption_leaves_with_130(capsys):
    codes = []
    main_with_errors(raising(KeyboardInterrupt), codes.append)
    assert codes == [130]
    assert capsys.readouterr() == ("", "interrupted\n")


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
    command = [sys.executable, "-c", COMPILES]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "compiling\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60) == ("half a line", "interrupted\n")
    assert process.returncode == 130


@pytest.mark.parametrize(
    "error",
    [TypeError("a defect"), jax.errors.JaxRuntimeError("INVALID_ARGUMENT: x"), SystemExit(5)],
)
def test_other_exceptions_pass(error):
    with pytest.raises(type(error)) as caught:
        main_with_errors(raising(error))
    assert caught.value is error


def test_success_returns():
    assert main_with_errors(lambda: None) is None
