"""What a training step costs: ``python -m mavos_jax.profiling.training --config FILE``.

One device, random clips. With several devices each does this work and the gradients are averaged.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mavos_jax.commands.errors import main_with_errors
from mavos_jax.commands.options import parse_command
from mavos_jax.config import Experiment
from mavos_jax.datasets import open_source
from mavos_jax.models.mavos import Variables, init_variables
from mavos_jax.profiling.loader import measure_loader
from mavos_jax.profiling.programs import Cost, Program, compile_program
from mavos_jax.profiling.report import write_report
from mavos_jax.profiling.rounds import Sampler, Timing, measure_in_turns, seconds
from mavos_jax.profiling.tables import table
from mavos_jax.runtime.devices import products_in
from mavos_jax.runtime.files import require_writable_parent
from mavos_jax.training.loop import frame_size
from mavos_jax.training.step import DeviceBatch, build_training_model, new_state, train_step

_Precision = Literal["float32", "bfloat16"]


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Measure training steps: time, frames a second and memory of one device.

    A row for every combination of --batches, --rematerialise and --precisions; all rows take turns.

    Attributes:
      config: the configuration of the training.
      batches: clips of one device in one step.
      rematerialise: whether activations are computed again in the backward pass; both by default.
      precisions: of products and convolutions; by default what the recipe chooses on this device.
      repeats: how often everything is timed; medians are reported.
      loader_seconds: for which the loader is measured alone; 0 leaves it out.
      json: a file for the results.
    """

    config: Path | None = None
    batches: tuple[int, ...] = (1,)
    rematerialise: tuple[bool, ...] = (False, True)
    precisions: tuple[_Precision, ...] = ()
    repeats: int = 5
    loader_seconds: float = 10.0
    json: Path | None = None

    def __post_init__(self) -> None:
        if not self.batches or not all(number >= 1 for number in self.batches):
            raise ValueError(f"--batches: expected at least 1, got {self.batches or 'none'}")
        if self.repeats < 1:
            raise ValueError(f"--repeats: expected at least 1, got {self.repeats}")
        if self.loader_seconds < 0:
            raise ValueError(f"--loader_seconds: expected at least 0, got {self.loader_seconds}")


class Case(NamedTuple):
    """What a row is about.

    Attributes:
      batch: clips of a step.
      rematerialises: whether activations are computed again in the backward pass.
      precision: of products and convolutions.
    """

    batch: int
    rematerialises: bool
    precision: str


class Row(NamedTuple):
    """What was measured of a case.

    Attributes:
      case: what the row is about.
      step_s: time of a step; None where the program does not fit the device.
      frames_per_second: of all frames of the clips, the references included.
      cost: of the compiled step; None where it could not be compiled.
      failure: why there is nothing else.
    """

    case: Case
    step_s: Timing | None
    frames_per_second: float | None
    cost: Cost | None
    failure: str | None


_COLUMNS = {
    "batch": lambda row: row.case.batch,
    "rematerialised": lambda row: "yes" if row.case.rematerialises else "no",
    "precision": lambda row: row.case.precision,
    "step, s": lambda row: row.step_s,
    "frames/s": lambda row: row.frames_per_second,
    "temporary, MB": lambda row: row.cost and row.cost.temporary_bytes / 1e6,
    "program, MB": lambda row: row.cost and row.cost.total_bytes / 1e6,
    "compile, s": lambda row: row.cost and row.cost.compilation_s,
    "failure": lambda row: row.failure,
}


class _Step:
    """A compiled step; every run goes on from the state that the one before left.

    Attributes:
      cost: of the program.
    """

    def __init__(self, config: Experiment, variables: Variables, case: Case) -> None:
        clip = dataclasses.replace(
            config.training.clip, rematerialise=case.rematerialises, precision=case.precision
        )
        training = dataclasses.replace(
            config.training, batch_size=case.batch, accumulate=1, clip=clip
        )
        config = dataclasses.replace(config, training=training)
        body = functools.partial(train_step, build_training_model(config), axis_name=None)
        # Copies, because the step consumes its state and fresh states share their leaves.
        self._state = jax.tree.map(lambda x: jnp.array(x, copy=True), new_state(config, variables))
        self._batch = _random_batch(config, case.batch)
        with products_in(case.precision):
            self._program: Program = compile_program(
                jax.jit(body, donate_argnums=(0,)), self._state, self._batch
            )
        self.cost = self._program.cost

    def sample(self) -> dict[str, float]:
        """Times one step."""
        return {"seconds": seconds(self._run)}

    def _run(self) -> Any:
        self._state, metrics = self._program.run(self._state, self._batch)
        return metrics


def measure_steps(config: Experiment, arguments: Arguments) -> list[Row]:
    """Measures every combination of the options."""
    automatic = build_training_model(config).backend.compute
    precisions = arguments.precisions or (automatic,)
    combinations = itertools.product(arguments.batches, arguments.rematerialise, precisions)
    cases = [Case(*combination) for combination in dict.fromkeys(combinations)]
    variables = init_variables(build_training_model(config))
    steps: dict[Case, _Step] = {}
    failures: dict[Case, str] = {}
    for case in cases:
        try:
            steps[case] = _Step(config, variables, case)
            steps[case].sample()
        except jax.errors.JaxRuntimeError as error:
            if "RESOURCE_EXHAUSTED" not in str(error):
                raise
            steps.pop(case, None)
            failures[case] = "out of memory"
    samplers: dict[Case, Sampler] = {case: step.sample for case, step in steps.items()}
    found = measure_in_turns(samplers, arguments.repeats)
    rows = []
    for case in cases:
        if case in failures:
            rows.append(Row(case, None, None, None, failures[case]))
            continue
        time_s = found[case]["seconds"]
        rate = case.batch * config.data.clip_frames / time_s.median
        rows.append(Row(case, time_s, rate, steps[case].cost, None))
    return rows


def _random_batch(config: Experiment, clips: int) -> DeviceBatch:
    random = np.random.default_rng(0)
    frames, side = config.data.clip_frames, config.data.crop
    shape = (1, clips, frames, side, side)
    # Three vertical stripes: two objects and the background.
    stripes = (np.arange(side) * 3 // side).astype(np.uint8)
    arrays = (
        random.integers(0, 256, (*shape, 3), dtype=np.uint8),
        np.broadcast_to(stripes, shape),
        np.full((1, clips), min(2, config.data.max_objects), np.int32),
        np.arange(clips, dtype=np.int32)[None],
    )
    return DeviceBatch(*map(jnp.asarray, arrays))


def main(argv: Sequence[str] | None = None) -> None:
    """Runs what the command line asks for.

    Raises:
      ValueError: an option is wrong, or a file cannot be written.
    """
    arguments, config = parse_command(Arguments, argv)
    if config is None:
        raise ValueError("expected --config FILE, got none")
    if arguments.json is not None:
        require_writable_parent(arguments.json)
    rows = measure_steps(config, arguments)
    loaded = None
    if arguments.loader_seconds:
        sets = [open_source(source, frame_size(config)) for source in config.data.sources]
        clips = max(arguments.batches)
        loaded = measure_loader(config.data, sets, clips, arguments.loader_seconds)
    print(
        f"{config.name}, clips of {config.data.clip_frames} frames of "
        f"{config.data.crop}x{config.data.crop} pixels, jax {jax.__version__}"
    )
    print(table(_COLUMNS, rows))
    if loaded is not None:
        print(f"the loader alone ({config.data.workers} workers): {loaded:.1f} frames/s")
    if arguments.json is not None:
        words = sys.argv[1:] if argv is None else argv
        command = ["python", "-m", "mavos_jax.profiling.training", *words]
        values = {
            "name": config.name,
            "clip_frames": config.data.clip_frames,
            "crop": config.data.crop,
            "rows": [
                row.case._asdict()
                | {
                    "step_s": row.step_s,
                    "frames_per_second": row.frames_per_second,
                    "cost": row.cost and row.cost._asdict(),
                    "failure": row.failure,
                }
                for row in rows
            ],
            "loader_frames_per_second": loaded,
        }
        write_report(arguments.json, arguments, command, values)


if __name__ == "__main__":
    main_with_errors(main)
