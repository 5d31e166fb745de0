"""Variables prepared for inference: what depends only on them is computed once per model.

The scale of a frozen batch normalisation goes into the convolution before it, operands have the
type that they are computed in, and weights that are used together lie together.
"""

import functools
import weakref
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict, unflatten_dict
from jax.core import Tracer
from jax.typing import DTypeLike

from mavos_jax.models import layers
from mavos_jax.models.backend import Backend
from mavos_jax.models.identification import Identification
from mavos_jax.models.layers import CONSTANTS, EPSILON, PREPARED, JoinedLinear
from mavos_jax.models.lstt import HeadLinear
from mavos_jax.models.mavos import MAVOS, Variables, small_frame

_CAST: dict[type[nn.Module], tuple[str, ...]] = {
    **dict.fromkeys((nn.Dense, nn.Conv, HeadLinear, JoinedLinear), ("kernel", "bias")),
    Identification: ("kernel",),
}
"""Modules that cast variables to the type that they compute in, and which."""

Path = tuple[str, ...]


class _Plan(NamedTuple):
    """What changes its form, by path: casts, frozen norms and kernels, joined layers, twins."""

    casts: frozenset[Path]
    folds: tuple[tuple[Path, Path], ...]
    joins: tuple[tuple[Path, tuple[int, ...]], ...]
    twins: tuple[tuple[Path, tuple[Path, ...]], ...]


def prepare_variables(model: MAVOS, variables: Variables) -> Variables:
    """Returns variables, not for training, with which a model's methods compute the same faster.

    They are kept while the given ones are, unless these are traced.
    """
    if not (_prepares_all(model.backend) or variables.get(CONSTANTS)):
        return variables
    leaves = jax.tree.leaves(variables)
    if any(isinstance(leaf, Tracer) for leaf in leaves):
        return _prepare(model, variables)
    key = (model.backend, *map(id, leaves))
    if key in _KEPT:
        return _KEPT[key]
    # Evaluation at compile time would run the network.
    _plan(model)  # pyright: ignore[reportArgumentType]
    # Also while a caller's function is traced, whose tracers must not be kept.
    with jax.ensure_compile_time_eval():
        prepared = _prepare(model, variables)
    is_fixed = all(isinstance(leaf, jax.Array) for leaf in leaves)  # others may change
    if prepared is not variables and is_fixed:
        _KEPT[key] = prepared
        shared = set(map(id, jax.tree.leaves(prepared)))
        for leaf in leaves:
            if id(leaf) not in shared:
                weakref.finalize(leaf, _KEPT.pop, key, None)
    return prepared


_KEPT: dict[tuple[Any, ...], Variables] = {}


def prepared_shapes(model: MAVOS, variables: Variables) -> Variables:
    """Returns what :func:`prepare_variables` would, as ``jax.ShapeDtypeStruct``."""
    return jax.eval_shape(functools.partial(_prepare, model), variables)


def _prepare(model: MAVOS, variables: Variables) -> Variables:
    plan = _plan(model)  # pyright: ignore[reportArgumentType]
    try:
        fresh = _compute(plan, variables, model.backend.dtype)
    except KeyError:  # of another network, whose modules say what they lack
        return variables
    replaced = {norm for norm, _ in plan.folds}
    replaced |= {("params", *path, "kernel") for path, _ in plan.joins}
    replaced |= {("params", *path) for _, paths in plan.twins for path in paths}
    kept = {
        path: x
        for path, x in _flatten(variables).items()
        if not any(path[:depth] in replaced for depth in range(len(path) + 1))
    }
    return unflatten_dict({**kept, **fresh})


@functools.partial(jax.jit, static_argnames=("plan", "dtype"))
def _compute(plan: _Plan, variables: Variables, dtype: DTypeLike | None) -> dict[Path, Any]:
    flat = _flatten(variables)
    fresh = {path: flat[path] for path in plan.casts}
    biases = {}
    for norm, kernel in plan.folds:
        names = ("scale", "offset", "mean", "variance")
        scale, offset, mean, variance = (flat[*norm, name] for name in names)
        factor = scale * jax.lax.rsqrt(variance + EPSILON)
        fresh[kernel] = flat[kernel] * factor
        biases[*norm, "bias"] = offset - mean * factor
    fresh |= biases
    if dtype is not None:
        cast = plan.casts | biases.keys()
        fresh = {path: x.astype(dtype) if path in cast else x for path, x in fresh.items()}

    def take(path: Path) -> jax.Array:
        return fresh.pop(path) if path in fresh else flat[path]

    for path, widths in plan.joins:
        kernel = take(("params", *path, "kernel"))
        fresh[PREPARED, *path, "kernels"] = layers.split_rows(kernel, widths)
    for path, modules in plan.twins:
        first = ("params", *modules[0])
        for leaf in [each[len(first) :] for each in flat if each[: len(first)] == first]:
            stacked = jnp.stack([take(("params", *module, *leaf)) for module in modules])
            fresh[PREPARED, *path, "params", *leaf] = stacked
    return fresh


def _flatten(variables: Variables) -> dict[Path, Any]:
    return flatten_dict(variables)  # pyright: ignore[reportReturnType]


@functools.lru_cache(maxsize=8)
def _plan(model: MAVOS) -> _Plan:
    """Notes the calls of a run: a frozen batch normalisation follows its convolution directly."""
    casts: set[Path] = set()
    folds: dict[Path, Path] = {}
    joins: dict[Path, tuple[int, ...]] = {}
    twins: dict[Path, tuple[Path, ...]] = {}
    kernels: list[Path] = []
    backend = model.backend

    def note(call: Any, args: Any, kwargs: Any, context: nn.module.InterceptorContext) -> Any:
        module, result = context.module, call(*args, **kwargs)
        if context.method_name != "__call__":
            return result
        match module:
            case layers.FrozenBatchNorm():
                folds[CONSTANTS, *module.path] = kernels[-1]
            case nn.Dense() | nn.Conv() | layers.DepthwiseConv():
                kernels.append(("params", *module.path, "kernel"))
            case JoinedLinear() if backend.joins == "products":
                joins[module.path] = tuple(x.shape[-1] for x in args)
            case layers.Twins() if backend.twins == "batched":
                twins[module.path] = tuple(each.path for each in args[0])
        dtype = module.dtype if isinstance(module, nn.Dense | nn.Conv) else backend.dtype
        for name in _CAST.get(type(module), ()) if dtype is not None else ():
            if module.has_variable("params", name):
                casts.add(("params", *module.path, name))
        return result

    inputs = jax.eval_shape(lambda: (jax.random.PRNGKey(0), *small_frame(model.config)))
    with nn.intercept_methods(note):
        if _prepares_all(backend):
            jax.eval_shape(functools.partial(model.init, method=MAVOS.init_all), *inputs)
        else:
            jax.eval_shape(functools.partial(model.init, method=MAVOS.encode), *inputs[:2])
    return _Plan(frozenset(casts), tuple(folds.items()), tuple(joins.items()), tuple(twins.items()))


def _prepares_all(backend: Backend) -> bool:
    """Whether more is prepared than the encoder's frozen normalisations."""
    return backend.dtype is not None or backend.joins == "products" or backend.twins == "batched"
