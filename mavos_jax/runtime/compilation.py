"""Compiled programs: kept between runs, announced while they take long, and timed."""

import contextlib
import functools
import glob
import importlib
import os
import platform
import re
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import jax
import tqdm

from mavos_jax.runtime.files import checksum

_EVENTS = "/jax/core/compile/"
_COMPILATION = f"{_EVENTS}backend_compile_duration"
_CACHE_WARNING = r"Error (reading|writing) persistent compilation cache entry for '(\S+)': (.*)"
_SLOW_SECONDS = 5.0


def keep_compilations() -> None:
    """Keeps compiled programs in ``JAX_COMPILATION_CACHE_DIR`` or :func:`default_folder`."""
    folder = os.environ.get("JAX_COMPILATION_CACHE_DIR")
    try:
        folder = str(default_folder()) if folder is None else folder
        if folder and "://" not in folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError) as error:  # RuntimeError: there is no home folder
        _say_not_kept(error)
        folder = ""
    jax.config.update("jax_compilation_cache_dir", folder or None)
    # By default JAX keeps what takes over a second to compile, on a CPU hardly anything.
    seconds = os.environ.get("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    jax.config.update("jax_persistent_cache_min_compile_time_secs", float(seconds))
    _mend_cache()


def default_folder() -> Path:
    """Names the folder for this kind of processor, whose programs another kind may misread."""
    description = Path("/proc/cpuinfo")
    text = description.read_text() if description.exists() else ""
    features = re.search(r"^(flags|Features)\s*:.*", text, re.MULTILINE)
    processor = f"{platform.machine()}-{checksum(features[0] if features else '')}"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "mavos_jax" / "compilation" / processor


def _folder() -> str:
    return getattr(jax.config, "jax_compilation_cache_dir", None) or ""


def _say_not_kept(reason: object) -> None:
    print(
        f"compiled programs are not kept for the next start ({reason}); "
        "JAX_COMPILATION_CACHE_DIR=FOLDER names a place for them",
        flush=True,
    )


def _mend_cache() -> None:
    """Removes entries of the cache that JAX warns about: it never replaces one that was cut off."""
    show, has_said = warnings.showwarning, False

    def take(message: Warning | str, *others: Any, **options: Any) -> None:
        nonlocal has_said
        match = re.match(_CACHE_WARNING, str(message), re.DOTALL)
        if match is None:
            show(message, *others, **options)
            return
        action, program, reason = match.groups()
        try:
            entries = sorted(Path(_folder()).glob(f"{glob.escape(program)}-*-cache"))
            for entry in [x for x in entries if not _is_whole(x)] or entries:
                entry.unlink(missing_ok=True)
        except OSError as error:
            action, reason = "writing", str(error)
        if action == "writing" and not has_said:
            has_said = True
            _say_not_kept(" ".join(reason.split()))

    warnings.showwarning = take
    warnings.filterwarnings("always", _CACHE_WARNING)


def _is_whole(entry: Path) -> bool:
    # As JAX compresses them: the first of these that is installed.
    for name in ("compression.zstd", "zstandard", "zlib"):
        try:
            decompress = importlib.import_module(name).decompress
        except ImportError:
            continue
        try:
            return bool(decompress(entry.read_bytes()))
        except Exception:  # each has errors of its own
            return False
    return False


_compiling: dict[int, threading.Timer] = {}  # by thread: what will announce its program


@functools.cache
def announce_compilations() -> None:
    """Prints a line, at most one per program, once a program has been compiling for 5 seconds."""
    said: set[str] = set()

    def tell(program: str) -> None:
        if program not in said:
            said.add(program)
            folder = _folder()
            kept = f"once: it is kept in {folder}" if folder else "at every start: it is not kept"
            with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
                tqdm.tqdm.write(f"compiling {program}, which can take minutes, {kept}", sys.stderr)
                sys.stderr.flush()

    def begin(event: str, value: float | int, **kwargs: str | int) -> None:
        if event == _COMPILATION:
            timer = threading.Timer(_SLOW_SECONDS, tell, [str(kwargs.get("fun_name", "a program"))])
            timer.daemon = True
            _compiling[threading.get_ident()] = timer
            with contextlib.suppress(RuntimeError):  # no more threads: then without the line
                timer.start()

    def end(event: str, duration_secs: float, **kwargs: str | int) -> None:
        if event == _COMPILATION and threading.get_ident() in _compiling:
            _compiling.pop(threading.get_ident()).cancel()

    jax.monitoring.register_scalar_listener(begin)
    jax.monitoring.register_event_duration_secs_listener(end)


def is_compiling() -> bool:
    """Whether a thread is compiling now, as far as :func:`announce_compilations` listens."""
    return bool(_compiling)


class CompilationClock:
    """Measures how long this thread traces and compiles in a ``with`` block, without overlaps."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()
        self._spans: list[tuple[float, float]] = []

    @property
    def seconds(self) -> float:
        """The time measured so far, in seconds."""
        return self.since(float("-inf"))

    def since(self, start: float) -> float:
        """The time measured after a moment of ``time.perf_counter``, in seconds."""
        total, covered = 0.0, start
        for begin, end in sorted(self._spans):
            total += max(0.0, end - max(begin, covered))
            covered = max(covered, end)
        return total

    def __enter__(self) -> "CompilationClock":
        jax.monitoring.register_event_duration_secs_listener(self._listen)
        return self

    def __exit__(self, *_: object) -> None:
        jax.monitoring.unregister_event_duration_listener(self._listen)

    def _listen(self, event: str, duration_secs: float, **kwargs: str | int) -> None:
        if event.startswith(_EVENTS) and threading.get_ident() == self._thread:
            end = time.perf_counter()
            self._spans.append((end - duration_secs, end))
