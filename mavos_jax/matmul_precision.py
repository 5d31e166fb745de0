"""How exactly a device multiplies float32 matrices, for all programs of a process."""

from __future__ import annotations

import os

import jax

from mavos_jax.config import Experiment


def use_precision(config: Experiment) -> None:
    """Makes the device keep to ``inference.precision``, unless the user says otherwise.

    GPUs round the factors of float32 products unless told not to. On a CPU there is nothing to
    choose. ``JAX_DEFAULT_MATMUL_PRECISION`` has the last word.
    """
    if jax.default_backend() == "cpu" or "JAX_DEFAULT_MATMUL_PRECISION" in os.environ:
        return
    is_exact = config.inference.precision == "float32"
    jax.config.update("jax_default_matmul_precision", "highest" if is_exact else "default")
