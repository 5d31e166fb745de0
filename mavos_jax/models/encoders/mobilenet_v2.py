"""MobileNetV2 (Sandler et al. 2018), held at output stride 16 by dilation."""

from collections.abc import Iterator
from typing import NamedTuple

import flax.linen as nn
from jaxtyping import Array, Float

from mavos_jax.axes import Image, Map
from mavos_jax.config import MobileNetV2Config
from mavos_jax.models.backend import Backend
from mavos_jax.models.layers import DepthwiseConv, FrozenBatchNorm, conv, dense

MAX_STRIDE = 16


class BlockSpec(NamedTuple):
    """One inverted residual: its hyper-parameters, and whether its output is a shortcut."""

    expansion: int
    features: int
    stride: int
    dilation: int
    is_output: bool


def block_specs(config: MobileNetV2Config) -> Iterator[BlockSpec]:
    """Yields the inverted residuals in order; a shortcut is taken where the next row strides."""
    # Beyond stride 16 a row keeps stride 1; blocks after its first have twice the dilation instead.
    stride, dilation = 2, 1
    for i, (expansion, features, blocks, nominal) in enumerate(config.stages):
        row_stride, row_dilation = nominal, dilation
        if stride * nominal > MAX_STRIDE:
            row_stride, dilation = 1, dilation * nominal
        stride *= row_stride
        following = config.stages[i + 1 :]
        ends_scale = stride >= 4 and bool(following) and following[0][3] == 2
        for block in range(blocks):
            is_output = ends_scale and block == blocks - 1
            yield BlockSpec(expansion, features, row_stride, row_dilation, is_output)
            row_stride, row_dilation = 1, dilation


class InvertedResidual(nn.Module):
    """Expand, filter each channel, project; residual where the shape is kept."""

    spec: BlockSpec
    backend: Backend

    @nn.compact
    def __call__(self, x: Map) -> Float[Array, "h2 w2 c2"]:
        spec, y = self.spec, x
        if spec.expansion != 1:
            y = dense(x.shape[-1] * spec.expansion, "expand", self.backend, bias=False)(y)
            y = nn.relu6(FrozenBatchNorm(name="expand_norm")(y))
        y = DepthwiseConv(3, self.backend, spec.stride, spec.dilation, name="depthwise")(y)
        y = nn.relu6(FrozenBatchNorm(name="depthwise_norm")(y))
        y = dense(spec.features, "project", self.backend, bias=False)(y)
        y = FrozenBatchNorm(name="project_norm")(y)
        return x + y if y.shape == x.shape else y


class MobileNetV2(nn.Module):
    """The encoder; PyTorch ``features.0`` is ``stem``, ``features.i`` is ``block_i``."""

    config: MobileNetV2Config
    backend: Backend

    @nn.compact
    def __call__(self, image: Image) -> tuple[Array, Array, Array, Array]:
        """Returns maps at strides 4, 8, 16 and 16; the last has ``config.last`` channels."""
        x = conv(self.config.stem, 3, "stem", self.backend, stride=2, padding=1, bias=False)(image)
        x = nn.relu6(FrozenBatchNorm(name="stem_norm")(x))
        outputs = []
        for i, spec in enumerate(block_specs(self.config), start=1):
            x = InvertedResidual(spec, self.backend, name=f"block_{i}")(x)
            if spec.is_output:
                outputs.append(x)
        x = dense(self.config.last, "last", self.backend, bias=False)(x)
        x = nn.relu6(FrozenBatchNorm(name="last_norm")(x))
        stride4, stride8, stride16 = outputs
        return stride4, stride8, stride16, x
