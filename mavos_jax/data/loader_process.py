"""The processes that make clips for a loader: their beginning and their end."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from multiprocessing import resource_tracker

_WATCH_S = 1.0
_NOTICES = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
"""What reaches the whole group of processes when a run should stop."""
_DEATH = "Worker process was terminated unexpectedly"
"""How grain's message for a process that is gone begins."""


@contextlib.contextmanager
def held_signals() -> Iterator[None]:
    """Shields processes that are started meanwhile from requests to stop, from their first moment.

    They inherit that these signals are blocked, which covers the seconds that they import in. This
    process gets those that came meanwhile afterwards. Python's tracker of shared memory, which
    ignores two of them, is started here, too, because it would die of the third.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGUSR1,))
    try:
        resource_tracker.ensure_running()  # unblocks the two others
        signal.pthread_sigmask(signal.SIG_BLOCK, _NOTICES)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def begin_process(index: int, count: int) -> None:
    """Sets up a loader process: its parent alone decides when it ends."""
    del index, count
    # The parent still needs batches until it has written its checkpoint.
    for number in _NOTICES:
        signal.signal(number, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def end_with_parent() -> None:
        while parent is not None and os.getppid() == parent.pid:
            time.sleep(_WATCH_S)
        os._exit(1)

    # A parent that is killed leaves its processes behind, which would keep their shared memory.
    threading.Thread(target=end_with_parent, daemon=True).start()


def explain_death(error: Exception) -> Exception:
    """An error of a loader process that died, in words of what to do; any other as it is."""
    if not (isinstance(error, RuntimeError) and str(error).startswith(_DEATH)):
        return error
    code = str(error).removeprefix(_DEATH).partition(".")[0].strip()
    return ValueError(
        f"a loader process died ({code}); it was killed from outside or memory ran out: give lower "
        "data.workers, data.threads or data.prefetch, or more memory or /dev/shm; data.workers 0 "
        "loads in threads and needs no /dev/shm"
    )
