"""Variables prepared for inference: what depends on them alone is computed once per model.

The scale of a frozen batch normalisation goes into the convolution before it, and the operands of
products and convolutions are stored in the type that they are computed in.
"""

from __future__ import annotations

import functools
import weakref
from typing import Any, NamedTuple

import flax.linen as nn
import jax
from flax.traverse_util import flatten_dict, unflatten_dict
from jax.typing import DTypeLike

from mavos_jax.models.identification import Identification
from mavos_jax.models.layers import CONSTANTS, EPSILON, DepthwiseConv, FrozenBatchNorm
from mavos_jax.models.mavos import MAVOS, Variables, small_frame
from mavos_jax.models.multi_head import HeadLinear

_CAST = {nn.Dense: ("kernel", "bias"), nn.Conv: ("kernel", "bias")}
_CAST |= {HeadLinear: ("kernel", "bias"), Identification: ("kernel",)}
"""Modules that cast variables to the type that they compute in, and which."""

Path = tuple[str, ...]


class _Plan(NamedTuple):
    """Variables to store in the backend's type; frozen batch norms and the kernels before them."""

    casts: frozenset[Path]
    folds: tuple[tuple[Path, Path], ...]


def prepare_variables(model: MAVOS, variables: Variables) -> Variables:
    """Returns variables with which a model's methods compute the same, and faster.

    They lie where the given ones lie, and are kept while these are; what needs no preparation is
    shared. Not for training: the frozen vectors are gone.
    """
    if model.backend.dtype is None and not variables.get(CONSTANTS):
        return variables
    leaves = jax.tree.leaves(variables)
    key = (model.backend, *map(id, leaves))
    if key in _KEPT:
        return _KEPT[key]
    prepared = _prepare(model, variables)
    if prepared is not variables and all(
        isinstance(leaf, jax.Array) for leaf in leaves
    ):  # others may change
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
    norms = {norm for norm, _ in plan.folds}
    try:
        fresh = _compute(plan, variables, model.backend.dtype)
    except KeyError:  # of another network, whose modules say what they lack
        return variables
    kept = {path: x for path, x in _flatten(variables).items() if path[:-1] not in norms}
    return unflatten_dict({**kept, **fresh})


@functools.partial(jax.jit, static_argnames=("plan", "dtype"))
def _compute(plan: _Plan, variables: Variables, dtype: DTypeLike | None) -> dict[Path, Any]:
    """Returns the variables that are new, by path."""
    flat = _flatten(variables)
    fresh = {path: flat[path] for path in plan.casts}
    biases = set()
    for norm, kernel in plan.folds:
        scale, offset, mean, variance = (
            flat[*norm, name] for name in ("scale", "offset", "mean", "variance")
        )
        factor = scale * jax.lax.rsqrt(variance + EPSILON)
        fresh[kernel] = flat[kernel] * factor
        fresh[*norm, "bias"] = offset - mean * factor
        biases.add((*norm, "bias"))
    if dtype is None:
        return fresh
    cast = plan.casts | biases
    return {path: x.astype(dtype) if path in cast else x for path, x in fresh.items()}


def _flatten(variables: Variables) -> dict[Path, Any]:
    return flatten_dict(variables)  # pyright: ignore[reportReturnType]


@functools.lru_cache(maxsize=8)
def _plan(model: MAVOS) -> _Plan:
    """Notes the calls of a run: a frozen batch normalisation follows its convolution directly."""
    casts: set[Path] = set()
    folds: dict[Path, Path] = {}
    kernels: list[Path] = []

    def note(call: Any, args: Any, kwargs: Any, context: nn.module.InterceptorContext) -> Any:
        module, result = context.module, call(*args, **kwargs)
        if context.method_name != "__call__":
            return result
        if isinstance(module, FrozenBatchNorm):
            folds[CONSTANTS, *module.path] = kernels[-1]
        elif isinstance(module, nn.Dense | nn.Conv | DepthwiseConv):
            kernels.append(("params", *module.path, "kernel"))
        dtype = module.dtype if isinstance(module, nn.Dense | nn.Conv) else model.backend.dtype
        for name in _CAST.get(type(module), ()) if dtype is not None else ():
            if module.has_variable("params", name):
                casts.add(("params", *module.path, name))
        return result

    is_half = model.backend.dtype is not None  # else the encoder alone has something to prepare
    image, mask = small_frame(model.config)
    with nn.intercept_methods(note):
        key = jax.random.PRNGKey(0)
        if is_half:
            jax.eval_shape(lambda: model.init(key, image, mask, method=MAVOS.init_all))
        else:
            jax.eval_shape(lambda: model.init(key, image, method=MAVOS.encode))
    return _Plan(frozenset(casts), tuple(folds.items()))
