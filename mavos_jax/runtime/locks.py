"""File locks between processes, which the system takes back however a process ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class LockFile(NamedTuple):
    """An open file whose locks count between processes, and between two of one process.

    Attributes:
      path: of the file; nothing is ever written to it.
      descriptor: of the open file.
    """

    path: Path
    descriptor: int

    def take(self, *, shared: bool = False, waits: bool = False) -> bool:
        """Locks the file in place of the lock that it may hold.

        Args:
          shared: whether others may hold it too, if they share it as well.
          waits: until it is free.

        Returns:
          Whether it is locked; False if somebody else holds it.

        Raises:
          OSError: the file system has no locks.
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
    """Opens a file to be locked inside the block, made if needed; its lock ends with the block.

    Raises:
      OSError: it cannot be opened, or is a link.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o666)
    try:
        yield LockFile(path, descriptor)
    finally:
        os.close(descriptor)
