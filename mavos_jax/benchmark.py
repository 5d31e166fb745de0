"""Times one frame inside the compiled scan: ``python -m mavos_jax.benchmark --config FILE``.

Every repeat times a large matrix product, the scan without long-term writes, and the scan with a
write after every frame, one after the other, so that a machine that slows down slows all of them.
"""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mavos_jax.checkpoints import load
from mavos_jax.command_line import main_with_errors, parse_command
from mavos_jax.config import Experiment
from mavos_jax.inference.chunk import segment_chunk, start_video
from mavos_jax.inference.geometry import Sizes, geometries, padded_size
from mavos_jax.inference.objects import num_groups, num_identities
from mavos_jax.models.mavos import MAVOS, Variables, build_model, init_variables

_PRODUCT_SIZE = 4096
_NEVER = 2**30
"""A gap that no benchmark reaches: no long-term writes."""


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Time one frame inside the compiled scan, with fresh weights or a checkpoint's.

    Attributes:
      config: the configuration of the network.
      checkpoint: the folder of weights to time; by default fresh ones, which are as fast.
      size: height and width of the frames in pixels.
      objects: objects in the video.
      frames: frames of one scan.
      repeats: how often everything is timed; medians are reported.
      reference_rate: also scale times to a machine whose matrix product runs at this rate, in
        GFLOP/s.
      json: a file for the results.
    """

    config: Path | None = None
    checkpoint: Path | None = None
    size: tuple[int, int] = (481, 849)
    objects: int = 2
    frames: int = 4
    repeats: int = 7
    reference_rate: float = 210.0
    json: Path | None = None

    def __post_init__(self) -> None:
        for name in ("objects", "frames", "repeats"):
            if getattr(self, name) < 1:
                raise ValueError(f"--{name}: expected at least 1, got {getattr(self, name)}")
        if min(self.size) < 32:
            raise ValueError(f"--size: expected at least 32 pixels a side, got {self.size}")


class Timing(NamedTuple):
    """A median and its spread over the repeats."""

    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Timing:
        """Summarises repeated measurements."""
        return cls(statistics.median(values), min(values), max(values))

    def __str__(self) -> str:
        return f"{self.median:.4g} ({self.lowest:.4g} to {self.highest:.4g})"


@dataclasses.dataclass(frozen=True)
class Result:
    """What was measured.

    Attributes:
      name: of the experiment.
      device: what it ran on.
      jax: version.
      size: height and width of the frames.
      objects: objects in the video.
      frame_ms: one frame in the scan, without a long-term write, in milliseconds.
      write_ms: one long-term write, in milliseconds.
      frame_ms_scaled: ``frame_ms`` on a machine with the reference rate.
      product_gflops: rate of a float32 matrix product of 4096 rows and columns.
      compilation_s: of the scan.
      temporary_mb: of the compiled scan.
      carry_mb: the memory that is carried from frame to frame.
    """

    name: str
    device: str
    jax: str
    size: tuple[int, int]
    objects: int
    frame_ms: Timing
    write_ms: float
    frame_ms_scaled: float
    product_gflops: Timing
    compilation_s: float
    temporary_mb: float
    carry_mb: float

    def __str__(self) -> str:
        height, width = self.size
        return "\n".join(
            (
                f"{self.name}, {height}x{width}, {self.objects} objects, float32, "
                f"{self.device}, jax {self.jax}",
                f"frame in the scan     {self.frame_ms} ms, {1e3 / self.frame_ms.median:.2f} FPS",
                f"  at the reference    {self.frame_ms_scaled:.0f} ms",
                f"long-term write       {self.write_ms:.0f} ms",
                f"matrix product        {self.product_gflops} GFLOP/s",
                f"compilation           {self.compilation_s:.1f} s",
                f"temporary, carried    {self.temporary_mb:.0f} MB, {self.carry_mb:.0f} MB",
            )
        )


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the benchmark that the command line asks for."""
    arguments, experiment = parse_command(Arguments, argv)
    if experiment is None:
        raise ValueError("expected --config FILE or --checkpoint DIR, got neither")
    result = measure(experiment, arguments)
    print(result)
    if arguments.json is not None:
        text = json.dumps(dataclasses.asdict(result), indent=2)
        arguments.json.write_text(f"{text}\n", encoding="utf-8")


def measure(experiment: Experiment, arguments: Arguments) -> Result:
    """Times the scan of an experiment's network on frames of random pixels."""
    model = build_model(experiment)
    if arguments.checkpoint is None:
        variables = init_variables(model)
    else:
        variables = load(arguments.checkpoint)[1]
    scan = _Scan(model, jax.device_put(variables), arguments)
    product = _product()
    rates, plain, written = [], [], []
    for _ in range(arguments.repeats):
        rates.append(2e-9 * _PRODUCT_SIZE**3 / _seconds(product))
        plain.append(_seconds(lambda: scan(_NEVER)) / arguments.frames)
        written.append(_seconds(lambda: scan(1)) / arguments.frames)
    frame, rate = Timing.of([1e3 * x for x in plain]), Timing.of(rates)
    return Result(
        name=experiment.name,
        device=_device_name(),
        jax=jax.__version__,
        size=arguments.size,
        objects=arguments.objects,
        frame_ms=frame,
        write_ms=1e3 * statistics.median(written) - frame.median,
        frame_ms_scaled=frame.median * rate.median / arguments.reference_rate,
        product_gflops=rate,
        compilation_s=scan.compilation_seconds,
        temporary_mb=scan.temporary_bytes / 1e6,
        carry_mb=scan.carry_bytes / 1e6,
    )


class _Scan:
    """The compiled scan over random frames, ready to run again and again.

    Attributes:
      compilation_seconds: what tracing and compiling it took.
      temporary_bytes: of the compiled program.
      carry_bytes: of the state.
    """

    def __init__(self, model: MAVOS, variables: Variables, arguments: Arguments) -> None:
        random = np.random.default_rng(0)
        shape = (arguments.frames, *padded_size(arguments.size), 3)
        frames = jnp.asarray(random.integers(0, 256, shape, dtype=np.uint8))
        slots = _stripes(padded_size(arguments.size), arguments.objects)
        identities = num_identities(arguments.objects)
        groups = num_groups(arguments.objects)
        sizes = Sizes(arguments.size, arguments.size)
        views = jax.device_put(geometries(model.config, sizes))
        self._variables, self._views, self._frames = variables, views, frames
        self._scalars = (jnp.int32(arguments.frames), jnp.int32(arguments.objects))
        self._state = start_video(
            model, variables, views, frames[0], slots, groups=groups, identities=identities
        )
        start = time.perf_counter()
        self._compiled = segment_chunk.lower(
            *(model, variables, views, self._state, frames, None),
            (*self._scalars, jnp.int32(1)),
            identities=identities,
            logits_form="none",
        ).compile()
        self.compilation_seconds = time.perf_counter() - start
        analysis = self._compiled.memory_analysis()
        self.temporary_bytes = analysis.temp_size_in_bytes if analysis else 0
        self.carry_bytes = sum(x.nbytes for x in jax.tree.leaves(self._state))

    def __call__(self, gap: int) -> Any:
        scalars = (*self._scalars, jnp.int32(gap))
        self._state, outputs = self._compiled(
            self._variables, self._views, self._state, self._frames, None, scalars
        )
        return self._state, outputs


def _device_name() -> str:
    device = jax.devices()[0]
    if device.platform == "cpu":
        return f"{os.cpu_count()} {platform.machine()} CPU cores"
    return device.device_kind


def _stripes(size: tuple[int, int], objects: int) -> np.ndarray:
    """A mask in which every object has a vertical stripe."""
    row = np.arange(size[1]) * (objects + 1) // size[1]
    return np.broadcast_to(row, size).astype(np.uint8)


def _product() -> Callable[[], Any]:

    x = jax.random.normal(jax.random.PRNGKey(0), (_PRODUCT_SIZE, _PRODUCT_SIZE))
    multiply = jax.jit(lambda x: x @ x)
    jax.block_until_ready(multiply(x))
    return lambda: multiply(x)


def _seconds(function: Callable[[], Any]) -> float:

    start = time.perf_counter()
    jax.block_until_ready(function())
    return time.perf_counter() - start


if __name__ == "__main__":
    main_with_errors(main)
