"""What a GPU would launch, as the compiler says on a machine without one.

XLA compiles for a GPU that is described to it and dumps what its runtime would do. Counts and sizes
of buffers are the compiler's; times are a model. What tuning on the card decides is missing: tiles,
libraries for single products, and the workspaces of convolutions.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp

from mavos_jax.commands.errors import main_with_errors
from mavos_jax.commands.parser import parse_experiment, require_range
from mavos_jax.config import Experiment
from mavos_jax.inference.geometry import Sizes, geometries, padded_size
from mavos_jax.inference.objects import num_groups, num_identities
from mavos_jax.inference.programs import segment_chunks, start_videos
from mavos_jax.models.backend import backend_for
from mavos_jax.models.mavos import build_model, variable_shapes
from mavos_jax.models.prepare import prepared_shapes
from mavos_jax.profiling.counts import Chunk, Counter, Counts, Rates
from mavos_jax.profiling.dump import read_dump
from mavos_jax.profiling.measuring import announce, program_sizes, table, write_report
from mavos_jax.profiling.workload import read_size
from mavos_jax.runtime.devices import graph_options, matmul_precision
from mavos_jax.runtime.files import require_writable_parent

_TARGET = """
gpu_device_info {{
  cuda_compute_capability {{ major: 9 feature_extension: ACCELERATED_FEATURES }}
  threads_per_block_limit: 1024 threads_per_warp: 32 threads_per_core_limit: 2048
  shared_memory_per_block: 49152 shared_memory_per_block_optin: 232448
  shared_memory_per_core: 233472 registers_per_core_limit: 65536 registers_per_block_limit: 65536
  core_count: 132 fpus_per_core: 128 clock_rate_ghz: 1.98 l2_cache_size: 52428800
  block_dim_limit_x: 2147483647 block_dim_limit_y: 65535 block_dim_limit_z: 65535
  thread_dim_limit_x: 1024 thread_dim_limit_y: 1024 thread_dim_limit_z: 64
  memory_bandwidth: {bandwidth} device_memory_size: {memory} pcie_bandwidth: 34359738368
  device_address_bits: 64 device_vendor: "NVIDIA Corporation" ecc_enabled: true
  platform_version: "Compute Capability 9.0a" name: "{name}" dnn_version: "9.10.0"
  driver_version: "13.0.0" runtime_version: "{cuda}" compile_time_toolkit_version: "{cuda}"
}}
platform_name: "CUDA" dnn_version_info {{ major: 9 minor: 10 }} device_description_str: "{name}"
"""
"""A card in the form that XLA reads (``GpuTargetConfigProto``)."""

_CARDS: dict[str, tuple[dict[str, Any], Rates]] = {
    "h100": (
        {"name": "NVIDIA H100 80GB HBM3", "bandwidth": 3352320000000, "memory": 84942979072},
        Rates(memory=3.0e12, half=700e12, rough=350e12, full=45e12),
    ),
    "h200": (
        {"name": "NVIDIA H200 141GB HBM3e", "bandwidth": 4800000000000, "memory": 151397597184},
        Rates(memory=4.3e12, half=700e12, rough=350e12, full=45e12),
    ),
}


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Count what a chunk of frames launches on a GPU, without a GPU.

    Attributes:
      config: the configuration file of the network.
      gpu: the card to describe to the compiler.
      size: height and width of the frames, such as 480x854.
      objects: objects in the video.
      videos: videos segmented at once; figures are for a frame of all of them.
      dump: a folder that keeps what XLA dumps.
      json: a file for the results.
    """

    config: Path | None = None
    gpu: Literal["h100", "h200"] = "h100"
    size: str = "480x854"
    objects: int = 2
    videos: int = 1
    dump: Path | None = None
    json: Path | None = None

    def __post_init__(self) -> None:
        require_range(self, objects=1, videos=1)
        read_size(self.size)


def main(argv: Sequence[str] | None = None) -> None:
    """Compiles, counts and prints."""
    jax.config.update("jax_platforms", "cpu")  # of this machine
    arguments, experiment = parse_experiment(Arguments, argv, ("inference", "memory.gap"))
    if arguments.json is not None:
        require_writable_parent(arguments.json)
    announce(f"{experiment.name}: compiling for {arguments.gpu}, which takes a minute or more")
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.dump or Path(scratch)
        memory = compile_chunk(arguments, experiment, folder)
        is_rough = experiment.inference.precision != "float32"
        found = Counter(read_dump(folder), _CARDS[arguments.gpu][1], is_rough).chunk()
    frames, gap = experiment.inference.chunk_frames, experiment.memory.gap
    print(report(found, memory, frames, gap))
    parts = {**found._asdict(), "mean": found.mean(frames, gap)}
    write_report(
        *(arguments.json, arguments),
        parts={name: dataclasses.asdict(part) for name, part in parts.items()},
        inference=dataclasses.asdict(experiment.inference),
        gap=gap,
        memory=memory,
    )


def report(found: Chunk, memory: dict[str, int], frames: int, gap: int) -> str:
    """Returns a table of the parts, the kinds of their kernels, and the memory."""
    parts = {
        f"once a chunk of {frames}": found.once,
        "frame": found.frame,
        "frame with a write": found.written,
        f"mean, every {gap}. written": found.mean(frames, gap),
    }
    rows = [
        {
            "": name,
            **{x: float(getattr(part, x)) for x in ("kernels", "graphs", "launches", "waits")},
            "MB": part.bytes / 1e6,
            "GFLOP": part.operations / 1e9,
            "ms (model)": part.seconds * 1e3,
        }
        for name, part in parts.items()
    ]
    kinds = [f"{name}: {_kinds(part)}" for name, part in parts.items()]
    sizes = ", ".join(f"{name} {size / 1e6:,.0f}" for name, size in memory.items())
    return "\n".join([table(rows), *kinds, f"memory, MB: {sizes}"])


def _kinds(part: Counts) -> str:
    ordered = sorted(part.kinds.items(), key=lambda item: -item[1])
    return ", ".join(f"{number:.4g} {kind}" for kind, number in ordered)


def compile_chunk(arguments: Arguments, experiment: Experiment, folder: Path) -> dict[str, int]:
    """Compiles the scan over a chunk of frames for a card, dumps it, and returns sizes in bytes."""
    struct = functools.partial(jax.ShapeDtypeStruct, sharding=_describe(arguments.gpu))

    def abstract(tree: Any) -> Any:
        return jax.tree.map(lambda x: struct(x.shape, x.dtype), tree)

    precision, size = experiment.inference.precision, read_size(arguments.size)
    model = build_model(experiment, backend_for("cuda", precision))
    views = abstract(geometries(experiment, Sizes(size, size)))
    variables = abstract(prepared_shapes(model, variable_shapes(experiment)))
    kind = {"identities": num_identities(arguments.objects)}
    padded, scalar = padded_size(size), struct((), jnp.int32)
    videos = arguments.videos
    frames = struct((videos, experiment.inference.chunk_frames, *padded, 3), jnp.uint8)
    first = struct((videos, *padded, 3), jnp.uint8)
    slots = struct((videos, *padded), jnp.uint8)
    start = functools.partial(start_videos, model, groups=num_groups(arguments.objects), **kind)
    with jax.default_matmul_precision(matmul_precision(precision)):
        states = abstract(jax.eval_shape(start, variables, views, first, slots))
        scalars = (scalar, struct((videos,), jnp.int32), scalar)
        inputs = (model, variables, views, states, frames, None, scalars)
        traced = segment_chunks.trace(*inputs, logits_form="none", **kind)
        options = {
            **(graph_options("gpu") or {}),
            "xla_gpu_autotune_level": 0,
            "xla_dump_to": str(folder),
            "xla_dump_hlo_as_text": True,
        }
        sizes = program_sizes(traced.lower().compile(compiler_options=options))
    return {**sizes, "all": sum(sizes.values())}


def _describe(gpu: str) -> jax.sharding.Sharding:
    """Describes a card to the compiler; returns where its arrays would lie."""
    from jax.experimental import topologies

    versions = {"jax_cuda13_plugin": "13.0.0", "jax_cuda12_plugin": "12.9.0"}
    cuda = [each for name, each in versions.items() if importlib.util.find_spec(name)]
    if not cuda:
        raise ValueError(
            "expected JAX with its plugin for CUDA, found none; run: pip install 'jax[cuda13]'"
        )
    target = _TARGET.format(**_CARDS[gpu][0], cuda=cuda[0])
    topology = topologies.get_topology_desc(platform="cuda", target_config=target, topology="1x1x1")
    return jax.sharding.SingleDeviceSharding(topology.devices[0])


if __name__ == "__main__":
    main_with_errors(main)
