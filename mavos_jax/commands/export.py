"""Writes a network as programs that need only JAX: ``python -m mavos_jax.commands.export``."""

import dataclasses
import functools
import json
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, export

from mavos_jax.checkpoints.description import read_description
from mavos_jax.checkpoints.weights import load_stored, read_default
from mavos_jax.commands.errors import main_with_errors
from mavos_jax.commands.parser import parse_experiment
from mavos_jax.config import MAX_ID
from mavos_jax.inference.functional import correct, init_state, step
from mavos_jax.inference.state import State
from mavos_jax.models.backend import backend_for
from mavos_jax.models.mavos import MAVOS, Variables, build_model
from mavos_jax.models.prepare import prepare_variables
from mavos_jax.runtime.devices import matmul_precision
from mavos_jax.runtime.provenance import version_of

Platform = Literal["cpu", "cuda", "tpu", "onnx"]
_SHOWN = ("inference.precision", "memory.gap")
_PACKAGES = {"export": "flatbuffers", "onnx": "jax2onnx"}  # that an extra brings to write programs


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Write the programs init, step and correct for frames of one size, by jax.export.

    Each platform gets a folder; examples/run_exported.py runs them. For onnx these are init and
    step as ONNX models.

    Attributes:
      height: rows of the frames.
      width: columns of the frames.
      output: a new folder.
      objects: places for objects, with the ids 1 to N.
      checkpoint: a folder or .safetensors file; by default the small weights in the package.
      platforms: the platforms to export for.
      weights: whether the weights are constants inside every program, as always for onnx, or a file
        beside them.
    """

    height: int
    width: int
    output: Path
    objects: int = 1
    checkpoint: Path | None = None
    platforms: tuple[Platform, ...] = ("cpu", "cuda", "tpu")
    weights: Literal["inside", "beside"] = "beside"

    def __post_init__(self) -> None:
        for name, most in (("height", 1 << 14), ("width", 1 << 14), ("objects", MAX_ID)):
            if not 1 <= (value := getattr(self, name)) <= most:
                raise ValueError(f"--{name}: expected 1 to {most}, found {value}")


def main(argv: Sequence[str] | None = None) -> None:
    """Exports the network that the command line asks for, and reports the files' sizes."""
    packaged = functools.cache(read_default)
    arguments, config = parse_experiment(Arguments, argv, _SHOWN, lambda: packaged().config)
    if arguments.output.exists():
        raise ValueError(
            f"{arguments.output}: expected a new folder, found an existing one; give another "
            "--output"
        )
    for platform in arguments.platforms:
        extra = "onnx" if platform == "onnx" else "export"
        if find_spec(package := _PACKAGES[extra]) is None:
            raise ValueError(
                f"{package}: expected the package that writes the programs, found none; run pip "
                f"install 'mavos_jax[{extra}]'"
            )
    checkpoint, precision = arguments.checkpoint, config.inference.precision
    stored = read_description(checkpoint.absolute()) if checkpoint else packaged()
    print(f"weights: {stored.title}")
    _, variables = load_stored(stored)
    for platform in arguments.platforms:
        device = "cpu" if platform == "onnx" else platform
        network = build_model(config, backend_for(device, precision))
        folder = arguments.output / platform
        products = None if device == "cpu" else matmul_precision(precision)
        with jax.default_matmul_precision(products):
            write_programs(folder, network, variables, arguments, platform)
        sizes = [f"{x.name} {x.stat().st_size / 1e6:.1f}" for x in sorted(folder.iterdir())]
        print(f"{folder}, MB: {', '.join(sizes)}")


def write_programs(
    folder: Path, model: MAVOS, variables: Variables, arguments: Arguments, platform: Platform
) -> None:
    """Writes the programs of a platform, the weights and ``manifest.json`` into a new folder.

    Programs take and return the leaves of a :class:`~mavos_jax.State` as a list::

        init(weights, frame, mask) -> state
        step(weights, state, frame) -> (state, (mask, confidence, present))
        correct(weights, state, frame, mask) -> the same

    Weights that are inside are an empty list. They are those that a platform computes with, of a
    model whose backend suits it.
    """
    weights, structure = jax.tree.flatten(prepare_variables(model, variables))
    size, is_onnx = (arguments.height, arguments.width), platform == "onnx"
    is_inside = is_onnx or arguments.weights == "inside"
    constants = jax.device_put(weights) if is_inside else []

    def network(given: list[Array]) -> tuple[MAVOS, Variables]:
        return model, jax.tree.unflatten(structure, constants if is_inside else given)

    def init(given: list[Array], frame: Array, mask: Array) -> State:
        return init_state(*network(given), frame, mask, num_objects=arguments.objects)

    def advance(
        program: Callable[..., Any], given: list[Array], state: list[Array], *inputs: Array
    ) -> tuple[list[Array], tuple[Array, ...]]:
        after, output = program(*network(given), jax.tree.unflatten(states, state), *inputs)
        return jax.tree.leaves(after), (output.mask, output.confidence, output.present)

    frame = jax.ShapeDtypeStruct((*size, 3), jnp.uint8)
    mask = jax.ShapeDtypeStruct(size, jnp.uint8)
    given = [] if is_inside else [jax.ShapeDtypeStruct(x.shape, x.dtype) for x in weights]
    shapes, states = jax.tree.flatten(jax.eval_shape(init, given, frame, mask))
    programs: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
        "init": (lambda w, *given: jax.tree.leaves(init(w, *given)), (frame, mask)),
        "step": (lambda w, s, *x: advance(step, w, s, *x), (shapes, frame)),
        "correct": (lambda w, s, *x: advance(correct, w, s, *x), (shapes, frame, mask)),
    }
    folder.mkdir(parents=True)
    for name, (function, inputs) in programs.items():
        if not is_onnx:
            exported = export.export(jax.jit(function), platforms=[platform])(given, *inputs)
            (folder / f"{name}.bin").write_bytes(exported.serialize())
        elif name != "correct":
            _write_onnx(folder / f"{name}.onnx", function, inputs)
    if not is_inside:
        np.savez(folder / "weights.npz", *map(np.asarray, weights))
    manifest = {
        "network": model.config.name,
        "platform": platform,
        "size": size,
        "objects": arguments.objects,
        "weights": [str(x.dtype) for x in given],
        "state": [[list(x.shape), str(x.dtype)] for x in shapes],
        "versions": {name: version_of(name) for name in ("mavos_jax", "jax")},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")


def _write_onnx(path: Path, function: Callable[..., Any], inputs: tuple[Any, ...]) -> None:
    """Writes a program whose arguments and results are all leaves, in order."""
    import jax2onnx  # pyright: ignore[reportMissingImports]
    from jax.extend.core import jaxpr_as_fun

    leaves, structure = jax.tree.flatten(inputs)

    def flat(*arrays: Array) -> list[Array]:
        # Mapped, conditions are choices: the converter loses what branches of branches capture.
        ones = jax.tree.unflatten(structure, [array[None] for array in arrays])
        results = jax.tree.leaves(jax.vmap(lambda given: function([], *given))(ones))
        return [result[0] for result in results]

    # Traced before the converter replaces functions of JAX and Flax while it traces.
    traced = jaxpr_as_fun(jax.make_jaxpr(flat)(*leaves))
    path.write_bytes(jax2onnx.to_onnx(lambda *x: tuple(traced(*x)), leaves).SerializeToString())


if __name__ == "__main__":
    main_with_errors(main)
