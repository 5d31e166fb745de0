"""The precisions that rows are measured in."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

import jax

from mavos_jax.config import Experiment

Precision = Literal["float32", "bfloat16", "tf32"]
"""As in ``inference.precision``."""


def with_precision(experiment: Experiment, precision: Precision) -> Experiment:
    """Returns the experiment whose network computes in a precision."""
    inference = dataclasses.replace(experiment.inference, precision=precision)
    return dataclasses.replace(experiment, inference=inference)


def available(precisions: Sequence[Precision]) -> tuple[tuple[Precision, ...], str | None]:
    """Returns the precisions that differ here, and a word on one that was left out."""
    if jax.default_backend() != "cpu" or "tf32" not in precisions:
        return tuple(dict.fromkeys(precisions)), None
    there: list[Precision] = ["float32" if name == "tf32" else name for name in precisions]
    return tuple(dict.fromkeys(there)), "tf32 left out: on a CPU it equals float32"
