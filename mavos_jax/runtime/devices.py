"""What the machine does: precision of products, compiled programs kept, time and memory taken."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import resource
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import jax

from mavos_jax.config import Experiment


def use_precision(config: Experiment) -> None:
    """Makes all programs of this process keep to ``inference.precision``.

    GPUs round the factors of float32 products unless told not to. On a CPU there is nothing to
    choose. ``JAX_DEFAULT_MATMUL_PRECISION`` has the last word.
    """
    if _is_free():
        jax.config.update("jax_default_matmul_precision", _name(config.inference.precision))


@contextlib.contextmanager
def products_in(precision: str) -> Iterator[None]:
    """Makes programs that are traced or called inside keep to a precision, as above.

    Args:
      precision: ``float32``, ``tf32`` or ``bfloat16``.
    """
    if not _is_free():
        yield
        return
    with jax.default_matmul_precision(_name(precision)):
        yield


def _is_free() -> bool:
    """Whether there is something to choose, and the user has not."""
    return jax.default_backend() != "cpu" and "JAX_DEFAULT_MATMUL_PRECISION" not in os.environ


def _name(precision: str) -> str:
    return "highest" if precision == "float32" else "default"


def keep_compilations() -> None:
    """Keeps compiled programs between runs, unless the user says otherwise.

    They lie in ``~/.cache/mavos_jax/compilation`` by kind of processor, or where
    ``JAX_COMPILATION_CACHE_DIR`` says.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "mavos_jax" / "compilation" / _processor()
    folder_option = os.environ.get("JAX_COMPILATION_CACHE_DIR", str(folder))
    jax.config.update("jax_compilation_cache_dir", folder_option or None)
    # By default JAX keeps what takes over a second to compile, on a CPU hardly anything.
    seconds = os.environ.get("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    jax.config.update("jax_persistent_cache_min_compile_time_secs", float(seconds))


def _processor() -> str:
    """Names the kind of processor, whose programs another kind may refuse or misread."""
    description = Path("/proc/cpuinfo")
    text = description.read_text() if description.exists() else ""
    features = re.search(r"^(flags|Features)\s*:.*", text, re.MULTILINE)
    return f"{platform.machine()}-{zlib.crc32(features[0].encode()) if features else 0:08x}"


_COMPILATION_EVENTS = "/jax/core/compile/"
_LAST_BEFORE_COMPILING = "jaxpr_to_mlir_module_duration"


class CompilationClock:
    """Measures, inside a ``with`` block, the time in which this thread traced and compiled.

    Reports that overlap, such as of a function traced inside another, count once.

    Attributes:
      is_compiling: whether the compiler, which reports only its end, is at work.
    """

    def __init__(self) -> None:
        self.is_compiling = False
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
            self.is_compiling = event.endswith(_LAST_BEFORE_COMPILING)
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
