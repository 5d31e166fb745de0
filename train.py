"""Trains a network; the same command resumes a run that was stopped."""

from __future__ import annotations

import dataclasses
import os
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mavos_jax.commands.errors import main_with_errors
from mavos_jax.commands.parser import parse_experiment
from mavos_jax.config import Experiment

if TYPE_CHECKING:
    from mavos_jax.models.mavos import Variables

# Loader processes import this file as well and need no more than is imported here.

_COORDINATOR_SECONDS = 3


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Train a network; the same command resumes a run that was stopped or killed.

      train.py --config configs/tiny_main.py --workdir runs/tiny
      srun train.py --config configs/mavos_main.py --workdir runs/mavos --training.start runs/pre

    Attributes:
      workdir: the folder of the run; a run of this configuration in it is resumed.
      config: the configuration file.
      coordinator: HOST:PORT of process 0, if several processes train; SLURM's srun sets all three.
      num_processes: the number of processes in the run.
      process_id: the number of this process, from 0.
    """

    workdir: Path
    config: Path | None = None
    coordinator: str | None = None
    num_processes: int | None = None
    process_id: int | None = None


def main(argv: Sequence[str] | None = None) -> None:
    arguments, config = parse_experiment(Arguments, argv, shown=("",))
    from mavos_jax.runtime.compilation import announce_compilations, keep_compilations
    from mavos_jax.training.processes import connect

    keep_compilations()
    announce_compilations()
    connect(arguments.coordinator, arguments.num_processes, arguments.process_id)
    from mavos_jax.runtime.provenance import this_command
    from mavos_jax.training.loop import train

    train(config, arguments.workdir, convert=convert, command=this_command())


def convert(config: Experiment, source: Path) -> tuple[Variables, str]:
    """Returns PyTorch weights as variables, what they lack fresh, and a report for the user."""
    from mavos_jax.conversion.transfer import read_variables

    variables, report = read_variables(config, source, seed=config.training.seed)
    return variables, str(report)


def run() -> None:
    """Runs the script; one of several processes that fails ends without waiting for the others."""
    try:
        main_with_errors(main)
    except (Exception, SystemExit) as error:
        is_failure = not isinstance(error, SystemExit) or error.code not in (None, 0)
        if not (is_failure and _has_others()):
            raise
        if not isinstance(error, SystemExit):
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        from mavos_jax.training.processes import is_first

        if is_first():  # JAX kills the others once the coordinator is gone: they first say why
            time.sleep(_COORDINATOR_SECONDS)
        os._exit(2 if isinstance(error, SystemExit) else 1)


def _has_others() -> bool:
    if "jax" not in sys.modules:
        return False
    import jax

    return jax.distributed.is_initialized() and jax.process_count() > 1


if __name__ == "__main__":
    run()
