"""File locks between processes, which the system takes back however a process ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class LockFile(NamedTuple):
    """An open file, never written, whose locks count between processes and within one."""

    path: Path
    descriptor: int

    def take(self, *, shared: bool = False, waits: bool = False) -> bool:
        """Locks the file, replacing a lock it may hold; returns False if somebody else holds it.

        Raises OSError where the file system has no locks.
        """
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(self.descriptor, kind if waits else kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            words = f"cannot be locked: {error.strerror}"
            raise OSError(error.errno, words, str(self.path)) from error
        return True


@contextlib.contextmanager
def opened_lock(path: Path) -> Iterator[LockFile]:
    """Opens a file to lock, made if needed, but no link; its lock ends with the block."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o666)
    try:
        yield LockFile(path, descriptor)
    finally:
        os.close(descriptor)
