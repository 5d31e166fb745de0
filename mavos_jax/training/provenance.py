"""Where a checkpoint comes from: software, code, data and command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mavos_jax.config import Experiment
from mavos_jax.provenance import describe_software


def describe_origin(config: Experiment, data: str, command: Sequence[str] = ()) -> dict[str, Any]:
    """Returns JSON values that say where the checkpoints of a run come from.

    Args:
      config: the experiment.
      data: fingerprint of the data sets.
      command: the words that started the run.
    """
    return {"data": data, "seed": config.training.seed, **describe_software(command)}
