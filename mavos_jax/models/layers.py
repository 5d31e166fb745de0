"""The layers that several parts share: convolutions and normalisations of one [h, w, c] map."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mavos_jax.axes import Map
from mavos_jax.models.backend import Backend
from mavos_jax.models.convolution import convolve, depthwise
from mavos_jax.models.initialisation import Initializer, he_depthwise, lecun_normal, xavier_uniform

EPSILON = 1e-5  # added to the variance by every normalisation, as in PyTorch
CONSTANTS = "constants"  # the collection of the vectors of frozen batch normalisation
PREPARED = "prepared"  # that of what :mod:`mavos_jax.models.prepare` stores in another shape


def layer_norm(name: str) -> nn.LayerNorm:
    """Layer normalisation over the channels (PyTorch ``LayerNorm``)."""
    return nn.LayerNorm(epsilon=EPSILON, name=name)


def group_norm(num_groups: int, name: str, backend: Backend) -> nn.Module:
    """Group normalisation of a map [h, w, c] over rows, columns and the group's channels."""
    if backend.group_norm == "channels":
        return GroupNorm(num_groups, name=name)
    return nn.GroupNorm(
        num_groups=num_groups, epsilon=EPSILON, reduction_axes=(-3, -2, -1), name=name
    )


class GroupNorm(nn.Module):
    """Group normalisation that sums over each channel first: four kernels of a GPU, not seven."""

    num_groups: int

    @nn.compact
    def __call__(self, x: Map) -> Map:
        channels = x.shape[-1]
        scale = self.param("scale", nn.initializers.ones, (channels,))
        bias = self.param("bias", nn.initializers.zeros, (channels,))
        tokens = x.astype(jnp.float32).reshape(-1, channels)
        both = jnp.concatenate([tokens, jnp.square(tokens)], axis=-1).sum(axis=0)
        means = both.reshape(2, self.num_groups, -1).mean(axis=-1) / len(tokens)
        mean, square = jnp.repeat(means, channels // self.num_groups, axis=-1)
        variance = jnp.maximum(square - jnp.square(mean), 0.0)
        normed = (tokens - mean) * (jax.lax.rsqrt(variance + EPSILON) * scale) + bias
        return normed.reshape(x.shape)


def convolution(backend: Backend) -> Callable[..., Array]:
    """Returns the dense convolution of a backend: ``jax.lax.conv_general_dilated`` or its like."""
    return convolve if backend.conv_gradient == "products" else jax.lax.conv_general_dilated


def dense(
    features: int,
    name: str,
    backend: Backend,
    *,
    bias: bool = True,
    init: Initializer = lecun_normal,
) -> nn.Dense:
    """A linear layer, or a 1x1 convolution: a matrix product on every platform."""
    return nn.Dense(features, use_bias=bias, dtype=backend.dtype, kernel_init=init, name=name)


def linear(features: int, name: str, backend: Backend) -> nn.Dense:
    """A linear layer of a transformer block, with bias and Xavier's initialisation."""
    return dense(features, name, backend, init=xavier_uniform)


class JoinedLinear(nn.Module):
    """A linear layer of maps side by side: joined by a copy, or with a product each (``joins``)."""

    features: int
    backend: Backend

    @nn.compact
    def __call__(self, *maps: Float[Array, "n _"]) -> Float[Array, "n f"]:
        if self.backend.joins == "copy":
            maps = (jnp.concatenate(maps, axis=-1),)
        widths = [x.shape[-1] for x in maps]
        if self.has_variable(PREPARED, "kernels"):
            kernels = self.get_variable(PREPARED, "kernels")
        else:
            kernel = self.param("kernel", xavier_uniform, (sum(widths), self.features))
            kernels = split_rows(kernel, widths)
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        dtype = self.backend.dtype or bias.dtype
        pairs = zip(maps, kernels, strict=True)
        products = [x.astype(dtype) @ kernel.astype(dtype) for x, kernel in pairs]
        return sum(products[1:], products[0]) + bias.astype(dtype)


def split_rows(kernel: Float[Array, "c f"], widths: Sequence[int]) -> tuple[Array, ...]:
    """Cuts the kernel of a linear layer into those of maps side by side, with so many channels."""
    return tuple(jnp.split(kernel, np.cumsum(widths)[:-1]))


def conv(
    features: int,
    kernel: int,
    name: str,
    backend: Backend,
    *,
    stride: int = 1,
    padding: int = 0,
    bias: bool = True,
) -> nn.Conv:
    """A square convolution with PyTorch's symmetric padding."""
    return nn.Conv(
        features,
        (kernel, kernel),
        strides=(stride, stride),
        padding=((padding, padding), (padding, padding)),
        use_bias=bias,
        dtype=backend.dtype,
        kernel_init=lecun_normal,
        conv_general_dilated=convolution(backend),
        name=name,
    )


class FrozenBatchNorm(nn.Module):
    """Batch normalisation with constant statistics: y = x s + (b - m s), s = w / sqrt(v + 1e-5).

    Its vectors are in the collection ``constants``. Where that holds a ``bias`` instead, the
    convolution before has the factor s, see :mod:`mavos_jax.models.prepare`.
    """

    @nn.compact
    def __call__(self, x: Map) -> Map:
        if self.has_variable(CONSTANTS, "bias"):
            return x + self.get_variable(CONSTANTS, "bias")
        shape = (x.shape[-1],)
        scale = self.variable(CONSTANTS, "scale", jnp.ones, shape).value
        offset = self.variable(CONSTANTS, "offset", jnp.zeros, shape).value
        mean = self.variable(CONSTANTS, "mean", jnp.zeros, shape).value
        variance = self.variable(CONSTANTS, "variance", jnp.ones, shape).value
        factor = scale * jax.lax.rsqrt(variance + EPSILON)
        return x * factor + (offset - mean * factor)


class DepthwiseConv(nn.Module):
    """A depthwise convolution with an odd kernel and no bias, which keeps the size at stride 1."""

    kernel: int
    backend: Backend
    stride: int = 1
    dilation: int = 1

    @nn.compact
    def __call__(self, x: Map) -> Float[Array, "h2 w2 c"]:
        kernel = self.param("kernel", he_depthwise, (self.kernel, self.kernel, x.shape[-1]))
        return depthwise(x, kernel, self.stride, self.dilation, self.backend.conv_gradient)


STREAM = "dropout"  # the name of the stream of random numbers


class DropPath(nn.Module):
    """Sets a residual update to zero with probability ``rate``, scales it up otherwise."""

    rate: float
    by_channel: bool = False  # draws for each channel by itself

    @nn.compact
    def __call__(self, x: Float[Array, "*any"]) -> Float[Array, "*any"]:
        if self.rate == 0 or not self.has_rng(STREAM):
            return x
        shape = x.shape[-1:] if self.by_channel else ()
        is_kept = jax.random.bernoulli(self.make_rng(STREAM), 1 - self.rate, shape)
        return x * (is_kept / (1 - self.rate)).astype(x.dtype)


DropChannels = functools.partial(DropPath, by_channel=True)  # PyTorch ``Dropout2d``


class Twins(nn.Module):
    """Runs modules one after the other, or as one batch, as ``Backend.twins`` says.

    Where variables are made, or dropout is drawn, they run one after the other.
    """

    backend: Backend

    @nn.compact
    def __call__(
        self, modules: Sequence[nn.Module], inputs: Sequence[tuple[Any, ...]], *static: Any
    ) -> list[Any]:
        """Returns each module's result for its own inputs, arrays of the same shapes for all."""
        if self.backend.twins == "sequential" or self.is_initializing() or self.has_rng(STREAM):
            return [module(*own, *static) for module, own in zip(modules, inputs, strict=True)]
        stack = functools.partial(jax.tree.map, lambda *leaves: jnp.stack(leaves))
        if self.has_variable(PREPARED, "params"):
            params = self.get_variable(PREPARED, "params")
        else:
            params = stack(*(module.variables["params"] for module in modules))
        module = modules[0].clone(parent=None)

        def run(params: Any, given: tuple[Any, ...]) -> Any:
            return module.apply({"params": params}, *given, *static)

        together = jax.vmap(run)(params, stack(*inputs))
        return [jax.tree.map(lambda x, i=i: x[i], together) for i in range(len(modules))]
