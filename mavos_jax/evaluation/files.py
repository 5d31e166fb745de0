"""Writing files so that nobody ever sees half of one."""

from __future__ import annotations

import collections
import contextlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Gives a temporary name beside ``path`` that takes its place once the block has succeeded.

    Folders are made as needed. After an exception the temporary file is removed and what was at
    ``path`` before stays.

    Raises:
      OSError: the file could not be written; the message names ``path``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield temporary
        os.replace(temporary, path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        # Errors of other files may pass through here, and keep their names.
        if isinstance(error, OSError) and error.filename in (None, str(temporary), temporary):
            if error.errno is None:
                raise OSError(f"{path}: {error}") from error
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


class WriteBehind:
    """Runs calls on other threads while the caller goes on; on one thread, in order.

    At most ``max_pending`` calls wait at a time, which bounds the arrays they hold. The first
    exception of a call is raised by a later :meth:`submit` or on leaving the ``with`` block, which
    waits for all calls; calls after a failed one may still have run.

    Args:
      max_pending: calls that may wait before :meth:`submit` does.
      num_threads: that run them.
    """

    def __init__(self, max_pending: int = 8, num_threads: int = 1):
        self._max_pending = max_pending
        self._pending: collections.deque[Future[object]] = collections.deque()
        self._executor = ThreadPoolExecutor(num_threads, thread_name_prefix="write-behind")

    def submit(self, call: Callable[..., object], *arguments: Any) -> None:
        """Queues ``call(*arguments)``, after waiting for room."""
        while len(self._pending) >= self._max_pending:
            self._pending.popleft().result()
        self._pending.append(self._executor.submit(call, *arguments))

    def __enter__(self) -> WriteBehind:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._executor.shutdown(wait=True)
        if error is None:
            for future in self._pending:
                future.result()
