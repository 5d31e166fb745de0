"""What readers do besides: files that change, words that are said, memory that is taken."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Guard:
    """Remembers a folder, tells whether it is as it was, and brings it back."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._content = {p: p.read_bytes() for p in root.rglob("*") if p.is_file()}
        self._folders = {p for p in root.rglob("*") if p.is_dir()}
        self._sound = self.look()

    def look(self) -> dict[str, tuple[int, ...]]:
        """What is there: sizes, times and numbers of files by their paths."""
        found: dict[str, tuple[int, ...]] = {}
        pending = [str(self._root)]
        while pending:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    status = entry.stat(follow_symlinks=False)
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                        found[entry.path] = ()
                    else:
                        found[entry.path] = (status.st_size, status.st_mtime_ns, status.st_ino)
        return found

    def restore(self) -> bool:
        """Brings back what has changed; tells whether anything had."""
        if not self._root.is_dir():
            self._root.mkdir()
        found = self.look()
        if found == self._sound:
            return False
        for path in sorted(found, reverse=True):
            if found[path] != self._sound.get(path):
                (os.rmdir if found[path] == () else os.unlink)(path)
        for path in sorted(self._folders):
            path.mkdir(exist_ok=True)
        for path, data in self._content.items():
            if found.get(str(path)) != self._sound[str(path)]:
                path.write_bytes(data)
        self._sound = self.look()
        return True


class Held(NamedTuple):
    """What the process holds: resident memory in bytes, and open files."""

    memory: int
    files: int

    @classmethod
    def now(cls) -> Held:
        """Counts it."""
        return cls(_status("VmRSS"), len(os.listdir("/proc/self/fd")))


@contextlib.contextmanager
def listening() -> Iterator[list[str]]:
    """Gathers what is said: warnings, and words on the standard error output."""
    said: list[str] = []
    errors, output = io.StringIO(), io.StringIO()
    with (
        tempfile.TemporaryFile() as file,
        warnings.catch_warnings(record=True) as caught,
        contextlib.redirect_stderr(errors),
        contextlib.redirect_stdout(output),
    ):
        saved = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            yield said
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            file.seek(0)
            said += [f"{w.category.__name__}: {w.message}" for w in caught]
            words = (errors.getvalue(), file.read().decode(errors="replace"))
            said += [" ".join(text.split()) for text in words if text.strip()]


def place_of(error: BaseException) -> str:
    """The deepest line of the package in a traceback."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if "/mavos_jax/" in f.filename] or frames
    return f"{own[-1].filename.rpartition('/mavos_jax/')[2]}:{own[-1].lineno}"


def reset_peak() -> int:
    """Forgets the peak of the resident memory; returns what is resident now, in bytes."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def peak() -> int:
    return _status("VmHWM")


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0
