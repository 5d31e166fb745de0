"""What a training step costs on one device: ``python -m mavos_jax.profiling.training``."""

import dataclasses
import functools
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mavos_jax.commands.errors import main_with_errors
from mavos_jax.commands.parser import parse_experiment, require_range
from mavos_jax.config import Experiment
from mavos_jax.datasets import open_source
from mavos_jax.models.mavos import Variables, init_variables
from mavos_jax.profiling import measuring
from mavos_jax.profiling.loader import measure_loader
from mavos_jax.runtime.devices import products_in
from mavos_jax.runtime.files import require_writable_parent
from mavos_jax.runtime.progress import say
from mavos_jax.training.loop import frame_size
from mavos_jax.training.step import DeviceBatch, build_training_model, new_state, train_step


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Measure training steps: time, frames a second and memory of one device.

    A row for every combination of --batches, --rematerialise and --precisions; all rows take turns.

    Attributes:
      config: the configuration file of the training.
      batches: clips of one device in one step.
      rematerialise: whether the backward pass computes activations again; both by default.
      precisions: precisions of products; by default what the recipe chooses on this device.
      repeats: rounds of which medians are reported.
      loader_seconds: seconds for which the loader is measured by itself; 0 leaves it out.
      json: a file for the results.
    """

    config: Path | None = None
    batches: tuple[int, ...] = (1,)
    rematerialise: tuple[bool, ...] = (False, True)
    precisions: tuple[Literal["float32", "bfloat16"], ...] = ()
    repeats: int = 5
    loader_seconds: float = 10.0
    json: Path | None = None

    def __post_init__(self) -> None:
        require_range(self, batches=1, repeats=1, loader_seconds=0)


class Case(NamedTuple):
    """What a row is about: clips of a step, and how it computes."""

    batch: int
    rematerialised: bool
    precision: str


class _Step:
    def __init__(self, config: Experiment, variables: Variables, case: Case) -> None:
        recipe = config.training
        clip = dataclasses.replace(
            recipe.clip, rematerialise=case.rematerialised, precision=case.precision
        )
        training = dataclasses.replace(recipe, batch_size=case.batch, accumulate=1, clip=clip)
        config = dataclasses.replace(config, training=training)
        body = functools.partial(train_step, build_training_model(config), axis_name=None)
        # Copies, because the step consumes its state and fresh states share their leaves.
        self._state = jax.tree.map(lambda x: jnp.array(x, copy=True), new_state(config, variables))
        self._batch = _random_batch(config, case.batch)
        step = jax.jit(body, donate_argnums=(0,))
        with products_in(case.precision):
            self.program = measuring.compile_program(step, self._state, self._batch)

    def sample(self) -> dict[str, float]:
        """Times one step."""
        return {"seconds": measuring.seconds(self._run)}

    def _run(self) -> Any:
        self._state, metrics = self.program.run(self._state, self._batch)
        return metrics


def measure_steps(config: Experiment, arguments: Arguments) -> list[dict[str, Any]]:
    """Measures every combination of the options; returns values by the names of columns."""
    precisions = arguments.precisions or (build_training_model(config).backend.compute,)
    combinations = itertools.product(arguments.batches, arguments.rematerialise, precisions)
    cases = [Case(*combination) for combination in dict.fromkeys(combinations)]
    say(f"{config.name}: fresh weights")
    variables = init_variables(build_training_model(config))
    steps: dict[Case, _Step] = {}
    for case in cases:
        remat = ", rematerialised" if case.rematerialised else ""
        say(f"compiling the step of {case.batch} clips in {case.precision}{remat}")
        try:
            steps[case] = _Step(config, variables, case)
            steps[case].sample()
        except jax.errors.JaxRuntimeError as error:
            if "RESOURCE_EXHAUSTED" not in str(error):
                raise
            steps.pop(case, None)
    samplers = {case: step.sample for case, step in steps.items()}
    found = measuring.measure_in_turns(samplers, arguments.repeats)
    frames = config.data.clip_frames
    return [_row(case, steps.get(case), found.get(case), frames) for case in cases]


def _row(
    case: Case, step: _Step | None, found: Mapping[str, measuring.Timing] | None, clip_frames: int
) -> dict[str, Any]:
    """Returns the columns of a case; frames are all of the clips, the references included."""
    time_s = None if found is None else found["seconds"]
    return {
        **case._asdict(),
        "step_s": time_s,
        "frames_per_second": time_s and case.batch * clip_frames / time_s.median,
        **measuring.program_figures(step and step.program),
        "failure": None if step else "out of memory",
    }


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
    """Measures what the command line asks for."""
    arguments, config = parse_experiment(Arguments, argv, ("data.clip_frames", "data.crop"))
    if arguments.json is not None:
        require_writable_parent(arguments.json)
    rows, data = measure_steps(config, arguments), config.data
    loaded = None
    if arguments.loader_seconds:
        sets = [open_source(source, frame_size(config)) for source in data.sources]
        loaded = measure_loader(data, sets, max(arguments.batches), arguments.loader_seconds)
    print(f"{config.name}, clips of {data.clip_frames} frames of {data.crop}x{data.crop} pixels")
    print(measuring.table(rows))
    if loaded is not None:
        print(f"the loader by itself ({data.workers} workers): {loaded:.1f} frames/s")
    measuring.write_report(
        *(arguments.json, arguments),
        name=config.name,
        clip_frames=data.clip_frames,
        crop=data.crop,
        rows=rows,
        loader_frames_per_second=loaded,
    )


if __name__ == "__main__":
    main_with_errors(main)
