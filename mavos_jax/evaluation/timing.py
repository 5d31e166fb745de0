"""Time spent on compilation, and the peak of memory."""

from __future__ import annotations

import resource
import sys
import threading
import time
from types import TracebackType

import jax

_COMPILATION_EVENTS = "/jax/core/compile/"


class CompilationClock:
    """Measures, inside a ``with`` block, the time in which this thread traced and compiled.

    Reports that overlap, such as of a function traced inside another, count once.
    """

    def __init__(self) -> None:
        self._thread = threading.get_ident()
        self._spans: list[tuple[float, float]] = []

    @property
    def seconds(self) -> float:
        """The time measured so far, in seconds."""
        total, covered = 0.0, float("-inf")
        for start, end in sorted(self._spans):
            total += max(0.0, end - max(start, covered))
            covered = max(covered, end)
        return total

    def __enter__(self) -> CompilationClock:
        jax.monitoring.register_event_duration_secs_listener(self._listen)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        jax.monitoring.unregister_event_duration_listener(self._listen)

    def _listen(self, event: str, duration_secs: float, **kwargs: str | int) -> None:
        if event.startswith(_COMPILATION_EVENTS) and threading.get_ident() == self._thread:
            end = time.perf_counter()
            self._spans.append((end - duration_secs, end))


def peak_memory() -> tuple[str, int]:
    """The peak of the memory that matters here, its name and bytes.

    On an accelerator that is what its allocator handed out at most; on a CPU, where JAX keeps no
    count, the largest resident set of the process.
    """
    statistics = jax.local_devices()[0].memory_stats() or {}
    if "peak_bytes_in_use" in statistics:
        return "peak device memory", int(statistics["peak_bytes_in_use"])
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss: bytes there, else KiB
    return "peak resident memory", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
