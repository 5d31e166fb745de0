"""The standard streams of a script: what nobody can read any more does not end a run."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def lasting_streams() -> Iterator[None]:
    """Lets the block print on, without an error, where its output is closed or its disk full.

    File names that the output's encoding does not know are written with backslashes. Streams that
    are no files, such as those of tests, stay as they are.
    """
    # Else files that are opened later get their numbers, and libraries write messages into them.
    for number in (0, 1, 2):
        if not _is_open(number):
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
    """A text file that leads into nothing from the first word on that it cannot take."""

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
        line_buffering=stream.line_buffering,
    )


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
