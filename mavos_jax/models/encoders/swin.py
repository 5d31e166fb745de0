"""Swin Transformer (Liu et al. 2021) without its last stage."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from mavos_jax.axes import Image, Map
from mavos_jax.config import SwinConfig
from mavos_jax.models.backend import Backend
from mavos_jax.models.initialisation import truncated_normal
from mavos_jax.models.layers import DropPath, conv, dense, layer_norm

PATCH = 4
NUM_LEFT_OUT = 2  # blocks of the classifier's last stage, which no output needs
SHIFT_MASK = -100.0  # on logits of tokens that a cyclic shift brought together, as in PyTorch


def relative_position_index(window: int) -> np.ndarray:
    """Returns [window^2, window^2]: the row of the bias table for each pair of tokens."""
    rows, columns = np.divmod(np.arange(window * window), window)
    row = rows[:, None] - rows[None] + window - 1
    column = columns[:, None] - columns[None] + window - 1
    return row * (2 * window - 1) + column


def shift_mask(rows: int, columns: int, window: int, shift: int) -> np.ndarray:
    """Returns [windows, window^2, window^2]: 0, or -100 between tokens of different regions."""

    def regions(size: int) -> np.ndarray:
        index = np.arange(size)
        return (index >= size - window).astype(int) + (index >= size - shift)

    labels = regions(rows)[:, None] * 3 + regions(columns)[None]
    labels = labels.reshape(rows // window, window, columns // window, window)
    labels = labels.transpose(0, 2, 1, 3).reshape(-1, window * window)
    return np.where(labels[:, :, None] != labels[:, None], SHIFT_MASK, 0.0).astype(np.float32)


class WindowAttention(nn.Module):
    """Multi-head attention inside windows with a learned bias per relative position."""

    heads: int
    window: int
    backend: Backend

    @nn.compact
    def __call__(
        self, x: Float[Array, "windows n c"], mask: np.ndarray | None
    ) -> Float[Array, "windows n c"]:
        windows, tokens, channels = x.shape
        depth = channels // self.heads
        shape = ((2 * self.window - 1) ** 2, self.heads)
        table = self.param("relative_position_bias", truncated_normal(0.02), shape)
        index = relative_position_index(self.window)
        bias = table[index.reshape(-1)].reshape(tokens, tokens, self.heads).transpose(2, 0, 1)
        qkv = dense(3 * channels, "query_key_value", self.backend)(x)
        qkv = qkv.reshape(windows, tokens, 3, self.heads, depth).transpose(2, 0, 3, 1, 4)
        query, key, value = qkv[0] * depth**-0.5, qkv[1], qkv[2]
        logits = jnp.matmul(query, key.swapaxes(-1, -2), preferred_element_type=jnp.float32) + bias
        if mask is not None:
            logits = logits + mask[:, None]
        out = jax.nn.softmax(logits, axis=-1).astype(value.dtype) @ value
        out = out.transpose(0, 2, 1, 3).reshape(windows, tokens, channels)
        return dense(channels, "projection", self.backend)(out)


class SwinBlock(nn.Module):
    """Window attention and a perceptron, each with a residual."""

    heads: int
    window: int
    shift: int
    drop_path: float
    backend: Backend

    @nn.compact
    def __call__(self, x: Map) -> Map:
        x = x + DropPath(self.drop_path, name="drop1")(self._attend(layer_norm("norm1")(x)))
        hidden = dense(4 * x.shape[-1], "mlp_in", self.backend)(layer_norm("norm2")(x))
        out = dense(x.shape[-1], "mlp_out", self.backend)
        update = out(jax.nn.gelu(hidden, approximate=False))
        return x + DropPath(self.drop_path, name="drop2")(update)

    def _attend(self, x: Map) -> Map:
        """Pads the normalised map to whole windows, shifts it, attends, and undoes both."""
        rows, columns, channels = x.shape
        side = self.window
        x = jnp.pad(x, ((0, -rows % side), (0, -columns % side), (0, 0)))
        padded_rows, padded_columns = x.shape[:2]
        mask = None
        if self.shift:
            x = jnp.roll(x, (-self.shift, -self.shift), axis=(0, 1))
            mask = shift_mask(padded_rows, padded_columns, side, self.shift)
        grid = (padded_rows // side, side, padded_columns // side, side, channels)
        windows = x.reshape(grid).transpose(0, 2, 1, 3, 4).reshape(-1, side * side, channels)
        windows = WindowAttention(self.heads, side, self.backend, name="attention")(windows, mask)
        grid = (padded_rows // side, padded_columns // side, side, side, channels)
        x = windows.reshape(grid).transpose(0, 2, 1, 3, 4).reshape(x.shape)
        if self.shift:
            x = jnp.roll(x, (self.shift, self.shift), axis=(0, 1))
        return x[:rows, :columns]


class PatchMerging(nn.Module):
    """Four neighbours side by side, normalised and projected to twice the channels."""

    backend: Backend

    @nn.compact
    def __call__(self, x: Map) -> Float[Array, "h2 w2 c2"]:
        rows, columns, channels = x.shape
        x = jnp.pad(x, ((0, rows % 2), (0, columns % 2), (0, 0)))
        order = ((0, 0), (1, 0), (0, 1), (1, 1))
        x = jnp.concatenate([x[i::2, j::2] for i, j in order], axis=-1)
        merged = dense(2 * channels, "reduction", self.backend, bias=False)(layer_norm("norm")(x))
        return merged.astype(jnp.float32)  # what residuals are added to


def drop_path_rate(config: SwinConfig, stage: int, block: int) -> float:
    """Returns the rate of a block: linear over the blocks, 0 in the frozen first stage."""
    if stage == 0:
        return 0.0
    place = sum(config.depths[:stage]) + block
    return config.drop_path * place / (sum(config.depths) + NUM_LEFT_OUT - 1)


class Swin(nn.Module):
    """The encoder; PyTorch ``layers.{i}.blocks.{j}`` is ``stage_{i}_block_{j}``."""

    config: SwinConfig
    backend: Backend

    @nn.compact
    def __call__(self, image: Image) -> tuple[Array, Array, Array, Array]:
        """Returns normalised maps at strides 4, 8, 16 and, the same map again, 16."""
        config = self.config
        image = jnp.pad(image, [(0, -n % PATCH) for n in image.shape[:2]] + [(0, 0)])
        x = conv(config.width, PATCH, "patch_embedding", self.backend, stride=PATCH)(image)
        x = layer_norm("patch_norm")(x)
        outputs = []
        for stage, (depth, heads) in enumerate(zip(config.depths, config.heads, strict=True)):
            if stage > 0:
                x = PatchMerging(self.backend, name=f"merging_{stage - 1}")(x)
            for block in range(depth):
                shift = config.window // 2 if block % 2 else 0
                name = f"stage_{stage}_block_{block}"
                rate = drop_path_rate(config, stage, block)
                x = SwinBlock(heads, config.window, shift, rate, self.backend, name=name)(x)
            outputs.append(layer_norm(f"norm_{stage}")(x))
        stride4, stride8, stride16 = outputs
        return stride4, stride8, stride16, stride16
