"""What the machine does: precision of products, compiled programs kept, time and memory taken."""

from __future__ import annotations

import contextlib
import functools
import glob
import importlib
import os
import platform
import re
import resource
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, ParamSpec, TypeVar, cast

import jax
import tqdm

from mavos_jax.config import Experiment
from mavos_jax.runtime.checksums import checksum

_Function = TypeVar("_Function", bound=Callable[..., Any])
_P = ParamSpec("_P")
_R = TypeVar("_R")


def use_precision(config: Experiment) -> None:
    """Makes all programs of this process keep to ``inference.precision``.

    GPUs round the factors of float32 products unless told not to. On a CPU there is nothing to
    choose. ``JAX_DEFAULT_MATMUL_PRECISION`` has the last word.
    """
    if _is_free():
        jax.config.update(
            "jax_default_matmul_precision", matmul_precision(config.inference.precision)
        )


@contextlib.contextmanager
def products_in(precision: str) -> Iterator[None]:
    """Makes programs that are traced or called inside keep to a precision, as above.

    Args:
      precision: ``float32``, ``tf32`` or ``bfloat16``.
    """
    if not _is_free():
        yield
        return
    with jax.default_matmul_precision(matmul_precision(precision)):
        yield


def _is_free() -> bool:
    """Whether there is something to choose, and the user has not."""
    return jax.default_backend() != "cpu" and "JAX_DEFAULT_MATMUL_PRECISION" not in os.environ


def matmul_precision(precision: str) -> str:
    """Returns JAX's name for ``inference.precision``."""
    return "highest" if precision == "float32" else "default"


def require_device() -> None:
    """Raises ValueError unless JAX finds the device that it was told to use."""
    try:
        jax.devices()
    except Exception as error:  # JAX has several, of which some say nothing
        reason = " ".join(str(error).partition(" (set JAX_PLATFORMS")[0].split())
        asked = os.environ.get("JAX_PLATFORMS", "")
        raise ValueError(
            f"JAX_PLATFORMS={asked}: expected a platform with a device on this machine, found none"
            f"{f' ({reason})' if reason else ''}; unset it, set it to cpu, or install JAX for the "
            "device (the extra cuda)"
        ) from None


def in_32_bits(function: _Function) -> _Function:
    """Lets a function compute in 32 bits also where the program around it has JAX use 64."""

    @functools.wraps(function)
    def run(*arguments: Any, **options: Any) -> Any:
        with jax.enable_x64(False):
            return function(*arguments, **options)

    return cast(_Function, run)


_GRAPHS = "xla_gpu_enable_command_buffer"
_IN_GRAPHS = "FUSION,CUBLAS,CUBLASLT,CUSTOM_CALL,CUDNN,CONDITIONAL,DYNAMIC_SLICE_FUSION,CONVOLUTION"


def graph_options(platform: str) -> dict[str, str] | None:
    """Returns the compiler options that make CUDA graphs of whole frames, ``None`` for none.

    By default XLA leaves convolutions out of graphs; each then ends a graph, and the host has to
    decide every condition around one. ``XLA_FLAGS`` with ``--xla_gpu_enable_command_buffer`` has
    the last word; empty behind the equals sign, it forbids graphs.
    """
    if platform not in ("gpu", "cuda") or _GRAPHS in os.environ.get("XLA_FLAGS", ""):
        return None
    return {_GRAPHS: _IN_GRAPHS}


class GraphProgram(Generic[_P, _R]):
    """``jax.jit`` with :func:`graph_options` of the platform, which is asked at the first use.

    Attributes:
      function: the function itself, for use inside another program.
    """

    def __init__(self, function: Callable[_P, _R], **options: Any) -> None:
        functools.update_wrapper(self, function)
        self.function, self._options = function, options

    @functools.cached_property
    def jitted(self) -> Any:
        """The jitted function."""
        graphs = graph_options(jax.default_backend())
        return jax.jit(self.function, compiler_options=graphs, **self._options)

    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        """Runs the function."""
        return self.jitted(*args, **kwargs)

    def trace(self, *args: Any, **kwargs: Any) -> Any:
        """Traces the function, which may take shapes instead of arrays."""
        return self.jitted.trace(*args, **kwargs)

    def lower(self, *args: Any, **kwargs: Any) -> Any:
        """Lowers the function, which may take shapes instead of arrays."""
        return self.jitted.lower(*args, **kwargs)


def keep_compilations() -> None:
    """Keeps compiled programs between runs, unless the user says otherwise.

    They lie in ``~/.cache/mavos_jax/compilation`` by kind of processor, or where
    ``JAX_COMPILATION_CACHE_DIR`` says. A damaged one is compiled and kept again; where none can be
    kept, a line says so.
    """
    folder = os.environ.get("JAX_COMPILATION_CACHE_DIR")
    try:
        if folder is None:
            cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
            folder = str(cache / "mavos_jax" / "compilation" / _processor())
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


def _cache_folder() -> str:
    return getattr(jax.config, "jax_compilation_cache_dir", None) or ""


def _say_not_kept(reason: object) -> None:
    print(
        f"compiled programs are not kept for the next start ({reason}); "
        "JAX_COMPILATION_CACHE_DIR=FOLDER names a place for them",
        flush=True,
    )


_CACHE_WARNING = r"Error (reading|writing) persistent compilation cache entry for '(\S+)': (.*)"


def _mend_cache() -> None:
    """Takes JAX's warnings of the cache as what they are: entries to be removed.

    An entry that a kill or a full disk cut off is never replaced by JAX, which compiles and warns
    at every start. Removed while JAX warns, it is written again by this process.
    """
    show, has_said = warnings.showwarning, False

    def take(message: Warning | str, *others: Any, **options: Any) -> None:
        nonlocal has_said
        match = re.match(_CACHE_WARNING, str(message), re.DOTALL)
        if match is None:
            show(message, *others, **options)
            return
        action, program, reason = match.groups()
        try:
            _remove_damaged(Path(_cache_folder()), program)
        except OSError as error:
            action, reason = "writing", str(error)
        if action == "writing" and not has_said:
            has_said = True
            _say_not_kept(" ".join(reason.split()))

    warnings.showwarning = take
    warnings.filterwarnings("always", _CACHE_WARNING)


def _remove_damaged(folder: Path, program: str) -> None:
    """Removes a program's damaged entries; all of its entries if none can be told."""
    entries = sorted(folder.glob(f"{glob.escape(program)}-*-cache"))
    for entry in [x for x in entries if not _is_whole(x)] or entries:
        entry.unlink(missing_ok=True)


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


_BACKEND_COMPILATION = "/jax/core/compile/backend_compile_duration"
_SLOW_SECONDS = 5.0


@functools.cache
def announce_compilations() -> None:
    """Prints a line once a program has been compiling for some seconds, at most one for each."""
    waiting: dict[int, threading.Timer] = {}
    said: set[str] = set()

    def tell(program: str) -> None:
        if program not in said:
            said.add(program)
            folder = _cache_folder()
            kept = f"once: it is kept in {folder}" if folder else "at every start: it is not kept"
            tqdm.tqdm.write(f"compiling {program}, which can take minutes, {kept}")
            sys.stdout.flush()

    def begin(event: str, value: float | int, **kwargs: str | int) -> None:
        if event == _BACKEND_COMPILATION:
            timer = threading.Timer(_SLOW_SECONDS, tell, [str(kwargs.get("fun_name", "a program"))])
            timer.daemon = True
            waiting[threading.get_ident()] = timer
            with contextlib.suppress(RuntimeError):  # no more threads: then without the line
                timer.start()

    def end(event: str, duration_secs: float, **kwargs: str | int) -> None:
        if event == _BACKEND_COMPILATION and threading.get_ident() in waiting:
            waiting.pop(threading.get_ident()).cancel()

    jax.monitoring.register_scalar_listener(begin)
    jax.monitoring.register_event_duration_secs_listener(end)


def _processor() -> str:
    """Names the kind of processor, whose programs another kind may refuse or misread."""
    description = Path("/proc/cpuinfo")
    text = description.read_text() if description.exists() else ""
    features = re.search(r"^(flags|Features)\s*:.*", text, re.MULTILINE)
    return f"{platform.machine()}-{checksum(features[0] if features else '')}"


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
