"""Compiled programs, and what the compiler says about them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from mavos_jax.profiling.work import Work, count_work


class Cost(NamedTuple):
    """What a compiled program needs.

    Attributes:
      compilation_s: seconds of tracing and compiling.
      temporary_bytes: for values inside the program.
      total_bytes: arguments, outputs and temporaries; donated arguments count once.
      least_bytes: arguments and outputs, what must be read or written once.
      flops: of products and convolutions, counted from the trace, loops as often as they run.
      accessed_bytes: read and written by the compiled operations as XLA counts, with loops as often
        as they run by the trace; None where XLA does not say.
      xla_flops: XLA's own count, every body of a loop and the costliest branch of a condition once.
      xla_accessed_bytes: the same of bytes.
    """

    compilation_s: float
    temporary_bytes: int
    total_bytes: int
    least_bytes: int
    flops: float
    accessed_bytes: float | None
    xla_flops: float | None
    xla_accessed_bytes: float | None


class Program(NamedTuple):
    """A compiled program; called with the arguments that are not static.

    Attributes:
      run: calls it.
      cost: what it needs.
    """

    run: Callable[..., Any]
    cost: Cost


def compile_program(jitted: Any, *arguments: Any, **options: Any) -> Program:
    """Compiles a jitted function for some arguments and analyses the result."""
    start = time.perf_counter()
    traced = jitted.trace(*arguments, **options)
    compiled = traced.lower().compile()
    elapsed = time.perf_counter() - start
    work = count_work(traced.jaxpr)
    return Program(compiled, _cost(compiled, elapsed, work, traced.jaxpr))


def _cost(compiled: Any, elapsed: float, work: Work, jaxpr: Any) -> Cost:
    memory, analysis = compiled.memory_analysis(), compiled.cost_analysis() or {}
    once = count_work(jaxpr, counts_loops=False)
    loops = work.written_bytes / once.written_bytes if once.written_bytes else 1.0
    accessed = analysis.get("bytes accessed")
    temporary = least = donated = 0
    if memory is not None:
        temporary, donated = memory.temp_size_in_bytes, memory.alias_size_in_bytes
        least = memory.argument_size_in_bytes + memory.output_size_in_bytes
    return Cost(
        compilation_s=elapsed,
        temporary_bytes=temporary,
        total_bytes=temporary + least - donated,
        least_bytes=least,
        flops=work.flops,
        accessed_bytes=None if accessed is None else accessed * loops,
        xla_flops=analysis.get("flops"),
        xla_accessed_bytes=accessed,
    )


def compile_function(function: Callable[..., Any], *arguments: Any) -> Program:
    """Compiles a plain function of arrays for some arguments."""
    # A function of its own: JAX would remember that it compiled this one before.
    return compile_program(jax.jit(lambda *arguments: function(*arguments)), *arguments)
