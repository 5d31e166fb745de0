"""Bottleneck ResNet (He et al. 2016) without its last stage."""

import functools
from collections.abc import Callable
from typing import assert_never

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from mavos_jax.axes import Image, Map
from mavos_jax.config import NORM_GROUPS, ResNetConfig
from mavos_jax.models.backend import Backend
from mavos_jax.models.layers import FrozenBatchNorm, conv, dense, group_norm

EXPANSION = 4


class Bottleneck(nn.Module):
    """1x1, 3x3 (strided), 1x1 with four times the channels, and the residual."""

    width: int
    stride: int
    has_downsample: bool
    backend: Backend
    norm: Callable[..., nn.Module]  # takes a name

    @nn.compact
    def __call__(self, x: Map) -> Float[Array, "h2 w2 c2"]:
        y = dense(self.width, "conv1", self.backend, bias=False)(x)
        y = nn.relu(self.norm(name="norm1")(y))
        y = conv(self.width, 3, "conv2", self.backend, stride=self.stride, padding=1, bias=False)(y)
        y = nn.relu(self.norm(name="norm2")(y))
        y = dense(EXPANSION * self.width, "conv3", self.backend, bias=False)(y)
        y = self.norm(name="norm3")(y)
        if self.has_downsample:
            x = x[:: self.stride, :: self.stride]
            x = dense(EXPANSION * self.width, "downsample", self.backend, bias=False)(x)
            x = self.norm(name="downsample_norm")(x)
        return nn.relu(x + y)


class ResNet(nn.Module):
    """The encoder; PyTorch ``layer{i}.{j}`` is ``stage_{i}_block_{j}``."""

    config: ResNetConfig
    backend: Backend

    @nn.compact
    def __call__(self, image: Image) -> tuple[Array, Array, Array, Array]:
        """Returns maps at strides 4, 8, 16 and, the same map again, 16."""
        match self.config.norm:
            case "frozen_batch":
                norm = FrozenBatchNorm
            case "group":
                norm = functools.partial(group_norm, NORM_GROUPS, backend=self.backend)
            case _:
                assert_never(self.config.norm)
        x = conv(self.config.width, 7, "stem", self.backend, stride=2, padding=3, bias=False)(image)
        x = max_pool(nn.relu(norm(name="stem_norm")(x)))
        outputs = []
        for stage, depth in enumerate(self.config.depths):
            for block in range(depth):
                x = Bottleneck(
                    width=self.config.width * 2**stage,
                    stride=2 if stage > 0 and block == 0 else 1,
                    has_downsample=block == 0,
                    backend=self.backend,
                    norm=norm,
                    name=f"stage_{stage + 1}_block_{block}",
                )(x)
            outputs.append(x)
        stride4, stride8, stride16 = outputs
        return stride4, stride8, stride16, stride16


def max_pool(x: Map) -> Float[Array, "h2 w2 c"]:
    """The largest of each 3x3 window at stride 2, padding 1, of a map that is not negative."""
    rows, columns = ((n - 1) // 2 + 1 for n in x.shape[:2])
    padded = jnp.pad(x, ((1, 2), (1, 2), (0, 0)))
    shifted = [
        padded[i : i + 2 * rows - 1 : 2, j : j + 2 * columns - 1 : 2]
        for i in range(3)
        for j in range(3)
    ]
    return functools.reduce(jnp.maximum, shifted)
