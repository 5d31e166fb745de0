"""The parts of a frame as functions of their own, on arrays that a real frame gives.

The compiler fuses across parts inside the whole frame, and every part alone pays for its own start:
the sum of the parts need not be the time of the frame.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from mavos_jax.inference import step
from mavos_jax.inference.frame import prepare
from mavos_jax.inference.objects import mask_unused, predict_slots, split_groups
from mavos_jax.models.mavos import MAVOS, Variables
from mavos_jax.models.memory import Memory
from mavos_jax.profiling.programs import Cost, Program, compile_function
from mavos_jax.profiling.propagations import find_propagations
from mavos_jax.profiling.rounds import seconds
from mavos_jax.profiling.workload import Workload
from mavos_jax.runtime.devices import products_in


class Part(NamedTuple):
    """A part of a frame, compiled.

    Attributes:
      name: of the part; what lies inside another part follows it, indented.
      program: the part; for one group of objects, unless it takes all at once.
      arguments: for the program.
      runs: how often a frame runs it; 0 for a part inside another, and for the write, which most
        frames do without.
    """

    name: str
    program: Program
    arguments: tuple[Any, ...]
    runs: int

    @property
    def cost(self) -> Cost:
        """What the program needs."""
        return self.program.cost

    def sample(self) -> dict[str, float]:
        """Returns the time of one run."""
        return {"seconds": seconds(lambda: self.program.run(*self.arguments))}


def build_parts(workload: Workload) -> list[Part]:
    """Compiles the parts of a frame, in the order in which a frame runs them."""
    with products_in(workload.setting.precision):
        return _build(workload)


def _build(workload: Workload) -> list[Part]:
    model, variables, views = workload.model, workload.variables, workload.views
    identities, groups = workload.identities, workload.groups
    parts: list[Part] = []

    def add(name: str, runs: int, function: Callable[..., Any], *arguments: Any) -> Any:
        """Adds a part; returns its results, which later parts take."""
        program = compile_function(function, *arguments)
        parts.append(Part(name, program, arguments, runs))
        return program.run(*arguments)

    def encode(variables: Variables, image: Any) -> Any:
        return step.encode(model, variables, image)

    memory: Memory = jax.tree.map(lambda x: x[0], workload.start()[0].memory)
    frame = jnp.asarray(workload.frames[1 % len(workload.frames)])
    view = views[0]
    image = add("resize, normalise", 1, prepare, view, frame)
    features = add("encoder", 1, encode, variables, image)
    propagated, pending = add(
        "propagation", groups, _method(model, "propagate"), variables, features, memory
    )
    for name, run, arguments in find_propagations(model, variables, features, memory):
        add(f"  {name}", 0, run, *arguments)
    logits = add("decoder", groups, _method(model, "decode"), variables, propagated, features)

    def upsample(view: Any, logits: Any) -> Any:
        used = mask_unused(logits, jnp.int32(workload.setting.objects))
        return predict_slots(used, view.output, channels=identities)

    slots = add("upsampling, argmax", 1, upsample, view, jnp.stack([logits] * groups))

    def identify(variables: Variables, view: Any, slots: Any) -> Any:
        mask = split_groups(view.predicted_mask(slots), groups)[0]
        return model.apply(variables, mask, identities, method="identify")

    embedding = add("identification", groups, identify, variables, view, slots)
    remember = _method(model, "remember")
    written = add("remember", groups, remember, variables, pending, embedding)
    memory_config = model.config.memory
    if memory_config.is_modulated:

        def modulate(variables: Variables, written: Any, memory: Memory) -> Any:
            return model.apply(variables, written, memory, features.size, method="modulate")

        add(f"memory write ({memory_config.write})", 0, modulate, variables, written, memory)
    return parts


def _method(model: MAVOS, name: str) -> Callable[..., Any]:
    return lambda variables, *arguments: model.apply(variables, *arguments, method=name)
