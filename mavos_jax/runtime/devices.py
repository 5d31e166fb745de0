"""The devices: which there are, the precision of their products, graphs, and their memory."""

import contextlib
import functools
import os
import resource
import sys
from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

import jax

from mavos_jax.config import Experiment

_Function = TypeVar("_Function", bound=Callable[..., Any])
_R = TypeVar("_R")


def use_precision(config: Experiment) -> None:
    """Makes all programs of this process keep to ``inference.precision``."""
    if _is_free():  # else GPUs round the factors of float32 products
        precision = matmul_precision(config.inference.precision)
        jax.config.update("jax_default_matmul_precision", precision)


def products_in(precision: str) -> contextlib.AbstractContextManager[Any]:
    """Makes programs traced or called inside keep to ``float32``, ``tf32`` or ``bfloat16``."""
    if not _is_free():
        return contextlib.nullcontext()
    return jax.default_matmul_precision(matmul_precision(precision))


def _is_free() -> bool:
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

    By default XLA leaves convolutions out, each of which then ends a graph. In ``XLA_FLAGS``,
    ``--xla_gpu_enable_command_buffer`` has the last word; ``=`` and nothing forbids graphs.
    """
    if platform not in ("gpu", "cuda") or _GRAPHS in os.environ.get("XLA_FLAGS", ""):
        return None
    return {_GRAPHS: _IN_GRAPHS}


class GraphProgram(Generic[_R]):
    """``jax.jit`` with :func:`graph_options` of the platform, which is asked at the first use."""

    def __init__(self, function: Callable[..., _R], **options: Any) -> None:
        functools.update_wrapper(self, function)
        self.function, self._options = function, options

    @functools.cached_property
    def jitted(self) -> Any:
        """The jitted function."""
        graphs = graph_options(jax.default_backend())
        return jax.jit(self.function, compiler_options=graphs, **self._options)

    def __call__(self, *args: Any, **kwargs: Any) -> _R:
        """Runs the function."""
        return self.jitted(*args, **kwargs)

    def trace(self, *args: Any, **kwargs: Any) -> Any:
        """Traces the function, which may take shapes instead of arrays."""
        return self.jitted.trace(*args, **kwargs)


def peak_memory() -> tuple[str, int]:
    """Returns the name and bytes of the accelerators' highest peak or, on a CPU, the process's."""
    statistics = [device.memory_stats() or {} for device in jax.local_devices()]
    if peaks := [x["peak_bytes_in_use"] for x in statistics if "peak_bytes_in_use" in x]:
        return "peak device memory", int(max(peaks))
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss: bytes there, else KiB
    return "peak resident memory", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
