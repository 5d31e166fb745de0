"""How exactly a device multiplies float32 matrices."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

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
