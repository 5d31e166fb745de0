"""What a GPU would launch, on a machine without one: counts by XLA untuned, times by a model."""

import dataclasses
import functools
import importlib.util
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

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
from mavos_jax.profiling.dump import read_dump, require_no_dump
from mavos_jax.profiling.measuring import program_sizes, table, write_report
from mavos_jax.profiling.workload import read_size
from mavos_jax.runtime.devices import graph_options, matmul_precision
from mavos_jax.runtime.files import require_writable_parent
from mavos_jax.runtime.progress import say
from mavos_jax.training.devices import AXIS, require_trainable, shard_step
from mavos_jax.training.step import DeviceBatch, build_training_model, new_state, training_precision

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

_CARDS: dict[str, dict[str, Any]] = {
    "h100": {"name": "NVIDIA H100 80GB HBM3", "bandwidth": 3352320000000, "memory": 84942979072},
    "h200": {"name": "NVIDIA H200 141GB HBM3e", "bandwidth": 4800000000000, "memory": 151397597184},
}
_RATES = {"h100": Rates(memory=3.0e12), "h200": Rates(memory=4.3e12)}


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Count what a chunk of frames, or a step of training, launches on a GPU, without a GPU.

    Attributes:
      config: the configuration file of the network.
      gpu: the card to describe to the compiler.
      size: height and width of the frames, such as 480x854.
      objects: objects in the video.
      videos: videos segmented at once; figures are for a frame of all of them.
      clips: count a training step over so many clips a GPU, of the size in the configuration.
      gpus: GPUs that share a training step; figures are for each.
      dump: a folder that keeps what XLA dumps.
      json: a file for the results.
    """

    config: Path | None = None
    gpu: Literal["h100", "h200"] = "h100"
    size: str = "480x854"
    objects: int = 2
    videos: int = 1
    clips: int | None = None
    gpus: int = 1
    dump: Path | None = None
    json: Path | None = None

    def __post_init__(self) -> None:
        require_range(self, objects=1, videos=1, clips=1, gpus=1)
        read_size(self.size)
        if self.gpus > 1 and self.clips is None:
            raise ValueError("--gpus: expected --clips N beside it; a video needs one GPU")


_SHOWN = ("inference", "memory.gap", "training.clip", "data.crop", "data.clip_frames")


def main(argv: Sequence[str] | None = None) -> None:
    """Compiles, counts and prints."""
    jax.config.update("jax_platforms", "cpu")  # of this machine
    arguments, experiment = parse_experiment(Arguments, argv, _SHOWN)
    if arguments.json is not None:
        require_writable_parent(arguments.json)
    if arguments.dump is not None:
        require_no_dump(arguments.dump)
    is_step, precision = arguments.clips is not None, experiment.inference.precision
    takes = "ten minutes or more" if is_step else "a minute or more"
    say(f"{experiment.name}: compiling for {arguments.gpu}, which takes {takes}")
    traced = (trace_step if is_step else trace_chunk)(arguments, experiment)
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.dump or Path(scratch)
        memory = compile_for_gpu(traced, folder, looks_for_tiles=not is_step)
        used = training_precision(experiment, "cuda") if is_step else precision
        counter = Counter(read_dump(folder), _RATES[arguments.gpu], used != "float32")
        frames, gap = experiment.inference.chunk_frames, experiment.memory.gap
        if is_step:
            parts = {"step": counter.count(counter.dump.thunks, max)}
        else:
            parts = parts_of_chunk(counter.chunk(), frames, gap)
    print(report(parts, memory))
    write_report(
        *(arguments.json, arguments),
        parts={name: dataclasses.asdict(part) for name, part in parts.items()},
        experiment=dataclasses.asdict(experiment),
        memory=memory,
    )


def parts_of_chunk(found: Chunk, frames: int, gap: int) -> dict[str, Counts]:
    """Returns the parts of a chunk by what they are."""
    return {
        f"once a chunk of {frames}": found.once,
        "frame": found.frame,
        "frame with a write": found.written,
        f"mean, every {gap}. written": found.mean(frames, gap),
    }


def report(parts: dict[str, Counts], memory: dict[str, int]) -> str:
    """Returns a table of the parts, the kinds of their kernels, and the memory."""
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
    kinds = []
    for name, part in parts.items():
        ordered = sorted(part.kinds.items(), key=lambda item: -item[1])
        kinds.append(f"{name}: " + ", ".join(f"{number:.4g} {kind}" for kind, number in ordered))
    sizes = ", ".join(f"{name} {size / 1e6:,.0f}" for name, size in memory.items())
    return "\n".join([table(rows), *kinds, f"memory, MB: {sizes}"])


def trace_chunk(arguments: Arguments, experiment: Experiment) -> jax.stages.Traced:
    """Traces the scan over a chunk of frames."""
    (device,) = _describe(arguments.gpu)
    place = jax.sharding.SingleDeviceSharding(device)
    struct = functools.partial(jax.ShapeDtypeStruct, sharding=place)
    precision, size = experiment.inference.precision, read_size(arguments.size)
    model = build_model(experiment, backend_for("cuda", precision))
    views = _place(place, geometries(experiment, Sizes(size, size)))
    variables = _place(place, prepared_shapes(model, variable_shapes(experiment)))
    kind = {"identities": num_identities(arguments.objects)}
    padded, scalar = padded_size(size), struct((), jnp.int32)
    videos = arguments.videos
    frames = struct((videos, experiment.inference.chunk_frames, *padded, 3), jnp.uint8)
    first = struct((videos, *padded, 3), jnp.uint8)
    slots = struct((videos, *padded), jnp.uint8)
    start = functools.partial(start_videos, model, groups=num_groups(arguments.objects), **kind)
    with jax.default_matmul_precision(matmul_precision(precision)):
        states = _place(place, jax.eval_shape(start, variables, views, first, slots))
        scalars = (scalar, struct((videos,), jnp.int32), scalar)
        inputs = (model, variables, views, states, frames, None, scalars)
        return segment_chunks.trace(*inputs, logits_form="none", **kind)


def trace_step(arguments: Arguments, experiment: Experiment) -> jax.stages.Traced:
    """Traces a training step over ``arguments.clips`` clips on each GPU."""
    number, clips = arguments.gpus, arguments.clips or 1
    training = dataclasses.replace(experiment.training, batch_size=number * clips)
    experiment = dataclasses.replace(experiment, training=training)
    require_trainable(experiment, number)
    model = build_training_model(experiment, "cuda")
    mesh = Mesh(np.array(_describe(arguments.gpu, number)), (AXIS,))
    step, shared, sharded = shard_step(model, mesh)
    state = jax.eval_shape(functools.partial(new_state, experiment), variable_shapes(experiment))
    parts, data = training.accumulate, experiment.data
    masks = np.zeros((number, parts, clips // parts, data.clip_frames, data.crop, data.crop), "u1")
    numbers = np.zeros(masks.shape[:3], np.int32)
    batch = DeviceBatch(np.zeros((*masks.shape, 3), "u1"), masks, numbers, numbers)  # pyright: ignore[reportArgumentType]
    with jax.default_matmul_precision(matmul_precision(training_precision(experiment, "cuda"))):
        jitted = jax.jit(step, donate_argnums=(0,))
        return jitted.trace(_place(shared, state), _place(sharded, batch))


def _place(sharding: jax.sharding.Sharding, tree: Any) -> Any:
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding), tree)


def compile_for_gpu(
    traced: jax.stages.Traced, folder: Path, *, looks_for_tiles: bool = True
) -> dict[str, int]:
    """Compiles a program, dumps it, and returns the sizes of its buffers in bytes.

    XLA ``looks_for_tiles`` of its own for products; without a card it finds none for some, which it
    knows only after minutes where the program is as large as a training step.
    """
    options = {
        **(graph_options("gpu") or {}),
        "xla_gpu_autotune_level": 0,
        "xla_dump_to": str(folder),
        "xla_dump_hlo_as_text": True,
    }
    lowered = traced.lower()
    if looks_for_tiles:
        try:
            return program_sizes(lowered.compile(compiler_options=options))
        except jax.errors.JaxRuntimeError as error:
            if "config" not in str(error):
                raise
    cublas = {"xla_gpu_enable_triton_gemm": False}
    say("without a card XLA finds no tiles for some products: all are left to cuBLAS")
    return program_sizes(lowered.compile(compiler_options=options | cublas))


def _describe(gpu: str, number: int = 1) -> Sequence[Any]:
    from jax.experimental import topologies

    versions = {"jax_cuda13_plugin": "13.0.0", "jax_cuda12_plugin": "12.9.0"}
    cuda = [each for name, each in versions.items() if importlib.util.find_spec(name)]
    if not cuda:
        raise ValueError(
            "expected JAX with its plugin for CUDA, found none; run: pip install 'jax[cuda13]'"
        )
    target = _TARGET.format(**_CARDS[gpu], cuda=cuda[0])
    topology = topologies.get_topology_desc(
        platform="cuda", target_config=target, topology=f"1x1x{number}"
    )
    return topology.devices


if __name__ == "__main__":
    main_with_errors(main)
