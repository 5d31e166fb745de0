"""Progress of long work, for whoever waits at a terminal or reads a log."""

import contextlib
import sys
import threading
import time
from collections.abc import Callable

import tqdm

from mavos_jax.runtime.compilation import is_compiling

_SECONDS_BETWEEN_LINES = 30.0
_SECONDS_BETWEEN_LOOKS = 1.0

Say = Callable[[str], None]  # takes a line for the user


def say(line: str) -> None:
    """Prints a line to standard error, unless nobody reads it any more."""
    with contextlib.suppress(OSError, ValueError):
        print(line, file=sys.stderr, flush=True)


class Progress:
    """Shows progress inside a ``with`` block: a bar on a terminal, else a line every 30 seconds."""

    def __init__(
        self, total: int | None, what: str, *, unit: str = "frame", say: Say = say
    ) -> None:
        self._total, self._what, self._unit, self._say = total, what, unit, say
        self._lock, self._is_over = threading.Lock(), threading.Event()
        self._ticker = threading.Thread(target=self._tick, name="progress", daemon=True)
        self._bar = tqdm.tqdm(total=total, desc=what, unit=unit, disable=None)
        self._done = 0

    def advance(self, count: int = 1) -> None:
        """Counts steps that are done."""
        with self._lock:
            self._done += count
            self._bar.update(count)

    def __enter__(self) -> "Progress":
        self._last = (time.monotonic(), 0)
        self._ticker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._ticker.join()
        self._bar.close()

    def _tick(self) -> None:
        while not self._is_over.wait(_SECONDS_BETWEEN_LOOKS):
            self._look(time.monotonic())

    def _look(self, now: float) -> None:
        if not self._bar.disable:
            with self._lock:
                self._bar.set_postfix_str("compiling" if is_compiling() else "")
        elif now - self._last[0] >= _SECONDS_BETWEEN_LINES:
            self._say(self._line(now))

    def _line(self, now: float) -> str:
        done, (before, done_before) = self._done, self._last
        self._last = (now, done)
        rate = (done - done_before) / max(now - before, 1e-9)
        of_total = "" if self._total is None else f" of {self._total}"
        words = [f"{self._what}: {done}{of_total} {self._unit}s", f"{rate:.2f} a second"]
        if is_compiling():
            words.append("compiling")
        elif rate and self._total is not None and self._total > done:
            words.append(f"about {describe_seconds((self._total - done) / rate)} left")
        return ", ".join(words)


def describe_seconds(seconds: float) -> str:
    """Returns a time in the unit that suits it, such as ``1 h 05 min``."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
