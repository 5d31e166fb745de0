"""The default run: one frame inside the compiled scan, beside a matrix product."""

from __future__ import annotations

import dataclasses
import statistics

import jax

from mavos_jax.profiling.ceilings import product_sampler
from mavos_jax.profiling.options import Arguments
from mavos_jax.profiling.rounds import Timing
from mavos_jax.profiling.scan import NEVER, Scan
from mavos_jax.profiling.workload import Network, Setting, Workload, device_name

_PRODUCT_SIZE = 4096


@dataclasses.dataclass(frozen=True)
class Result:
    """What was measured.

    Attributes:
      name: of the experiment.
      device: what it ran on.
      jax: version.
      size: height and width of the frames.
      objects: objects in the video.
      precision: of products and convolutions in the network.
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
    precision: str
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
                f"{self.name}, {height}x{width}, {self.objects} objects, {self.precision}, "
                f"{self.device}, jax {self.jax}",
                f"frame in the scan     {self.frame_ms} ms, {1e3 / self.frame_ms.median:.2f} FPS",
                f"  at the reference    {self.frame_ms_scaled:.0f} ms",
                f"long-term write       {self.write_ms:.0f} ms",
                f"matrix product        {self.product_gflops} GFLOP/s",
                f"compilation           {self.compilation_s:.1f} s",
                f"temporary, carried    {self.temporary_mb:.0f} MB, {self.carry_mb:.0f} MB",
            )
        )


def measure_scan(network: Network, arguments: Arguments) -> Result:
    """Times the scan of a network on frames of random pixels."""
    experiment = network.experiment
    setting = Setting(arguments.size, arguments.objects[0], experiment.inference.precision)
    scan = Scan(Workload.build(experiment, network.variables(), setting), arguments.frames)
    product = product_sampler("float32", _PRODUCT_SIZE)
    product()
    rates, plain, written = [], [], []
    for _ in range(arguments.repeats):
        rates.append(1e-9 * product()["flops"])
        plain.append(scan.frame_seconds(NEVER, arguments.frames))
        written.append(scan.frame_seconds(1, arguments.frames))
    frame, rate = Timing.of([1e3 * x for x in plain]), Timing.of(rates)
    return Result(
        name=experiment.name,
        device=device_name(),
        jax=jax.__version__,
        size=setting.size,
        objects=setting.objects,
        precision=setting.precision,
        frame_ms=frame,
        write_ms=1e3 * statistics.median(written) - frame.median,
        frame_ms_scaled=frame.median * rate.median / arguments.reference_rate,
        product_gflops=rate,
        compilation_s=scan.cost.compilation_s,
        temporary_mb=scan.cost.temporary_bytes / 1e6,
        carry_mb=scan.carry_bytes / 1e6,
    )
