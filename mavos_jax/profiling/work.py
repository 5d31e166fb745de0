"""What a program must compute, counted from its trace.

XLA's own count of a compiled program takes the body of a loop once, however often it runs. The
trace knows how often a scan runs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple


class Work(NamedTuple):
    """Work of a program.

    Attributes:
      flops: of products and convolutions, two for a multiplication with an addition; what else is
        computed is not counted.
      written_bytes: of every value between two operations, as if nothing was fused.
    """

    flops: float
    written_bytes: float

    def __add__(self, other: tuple[Any, ...]) -> Work:
        return Work(self.flops + other[0], self.written_bytes + other[1])

    def times(self, factor: int) -> Work:
        """Returns the work of doing it several times."""
        return Work(self.flops * factor, self.written_bytes * factor)


def count_work(jaxpr: Any, *, counts_loops: bool = True) -> Work:
    """Counts the work of a traced program.

    Of the branches of a condition the costliest counts. A loop whose end is not known counts once.

    Args:
      jaxpr: from ``jax.jit(...).trace(...)``.
      counts_loops: whether the body of a scan counts as often as it runs, or once.
    """
    total = Work(0.0, 0.0)
    for equation in getattr(jaxpr, "jaxpr", jaxpr).eqns:
        name, parameters = equation.primitive.name, equation.params
        inner = [count_work(x, counts_loops=counts_loops) for x in _programs_in(parameters)]
        if name == "cond":
            total += max(inner)
        elif inner:
            runs = parameters.get("length", 1) if name == "scan" and counts_loops else 1
            for work in inner:
                total += work.times(runs)
        else:
            written = sum(x.aval.size * x.aval.dtype.itemsize for x in equation.outvars)
            total += Work(_flops(equation), written)
    return total


def _programs_in(parameters: dict[str, Any]) -> Iterator[Any]:
    for value in parameters.values():
        for item in value if isinstance(value, tuple | list) else (value,):
            if hasattr(item, "eqns") or hasattr(item, "jaxpr"):
                yield item


def _flops(equation: Any) -> float:
    name = equation.primitive.name
    if name == "dot_general":
        (contracted, _), _ = equation.params["dimension_numbers"]
        left = equation.invars[0].aval.shape
        return 2.0 * equation.outvars[0].aval.size * math.prod(left[axis] for axis in contracted)
    if name == "conv_general_dilated":
        kernel = equation.invars[1].aval.shape
        outputs = kernel[equation.params["dimension_numbers"].rhs_spec[0]]
        return 2.0 * equation.outvars[0].aval.size * math.prod(kernel) / outputs
    return 0.0
