"""How a program ends: one line for an error that the user can mend, a traceback for a defect."""

import contextlib
import errno
import io
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import jax

from mavos_jax.runtime.devices import require_device

_WAYS_OUT = {
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENFILE: "close other programs, or raise the system's limit of open files",
    errno.ENOMEM: "free memory, or raise its limit (ulimit -v)",
    errno.ENOSPC: "free some room on the disk, then run the same command again",
    errno.EDQUOT: "free some of the quota, then run the same command again",
}
_SMALLER = (
    "take smaller frames (--inference.max_long_edge), shorter chunks (--inference.chunk_frames) or "
    "smaller batches (--training.batch_size), or close other programs on the device"
)


def main_with_errors(main: Callable[[], object], leave: Callable[[int], object] = os._exit) -> None:
    """Runs a program; reports errors of files, devices and the system in one line, with code 2.

    Other exceptions are defects and keep their tracebacks. ``leave`` ends the process at once after
    an interruption (130) and once memory has run out (2), outside all context managers of ``main``:
    a compilation under way crashes an interpreter that shuts down.
    """
    code = None
    with lasting_streams():
        try:
            main()
        except Exception as error:
            if not isinstance(error, MemoryError) and "bad_alloc" not in str(error):
                line = _describe(error)
                if line is None:
                    raise
                print(f"error: {' '.join(line.split())}", file=sys.stderr)
                raise SystemExit(2) from None
            error.__traceback__ = error.__context__ = None  # frees what the calls held
            code = 2
            try:
                reason = f" ({error})" if str(error) else ""
                print(f"error: out of memory{reason}; {_WAYS_OUT[errno.ENOMEM]}", file=sys.stderr)
            except MemoryError:  # not even for the words
                os.write(2, b"error: out of memory\n")
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            code = 130
    if code is not None:
        leave(code)


def _describe(error: Exception) -> str | None:
    """Returns what went wrong and the way out, or None for a defect."""
    text = str(error)
    if isinstance(error, OSError) and error.errno in _WAYS_OUT:
        return f"{text}; {_WAYS_OUT[error.errno]}"
    if isinstance(error, (ValueError, OSError)):
        return text or type(error).__name__
    if "can't start new thread" in text:
        return f"{text}; raise the limits of processes and memory (ulimit -u, ulimit -v)"
    if isinstance(error, (EOFError, OverflowError, RecursionError)):
        return f"{type(error).__name__}: {text}; is a file damaged?"
    if isinstance(error, jax.errors.JaxRuntimeError):
        reason = text.partition("\n")[0]
        if reason.startswith("INVALID_ARGUMENT"):
            return None
        if "RESOURCE_EXHAUSTED" in reason or "Out of memory" in reason:
            return f"the device's memory is full ({reason}); {_SMALLER}"
        return f"the device failed: {reason}"
    try:
        require_device()
    except ValueError as missing:
        return str(missing)
    return None


@contextlib.contextmanager
def lasting_streams() -> Iterator[None]:
    """Lets the block keep printing, without an error, if its output is closed or its disk full."""
    # Else files that are opened later get their numbers, and libraries write messages into them.
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = map(_lasting, before)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = before


class _Lasting(io.TextIOWrapper):
    """A text file that drops everything from the first write that fails."""

    def write(self, text: str, /) -> int:
        try:
            return super().write(text)
        except OSError:
            self._lead_nowhere()
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError:
            self._lead_nowhere()

    def _lead_nowhere(self) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)


def _lasting(stream: Any) -> Any:
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8", errors="backslashreplace")
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    try:
        number = stream.fileno()
        stream.flush()
    except (OSError, ValueError):
        return stream
    return _Lasting(
        io.BufferedWriter(io.FileIO(number, "w", closefd=False)),
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=stream.line_buffering or stream.write_through,
    )
