"""How PyTorch files name the encoders' tensors: those of ImageNet classifiers."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple, assert_never, get_args

import numpy as np

from mavos_jax.config import EncoderConfig, MobileNetV2Config, ResNetConfig, SwinConfig
from mavos_jax.conversion import layouts
from mavos_jax.models.encoders.mobilenet_v2 import block_specs
from mavos_jax.models.encoders.swin import relative_position_index

_EXPANDED: tuple[layouts.Row, ...] = (
    ("conv.0.0", "expand", layouts.POINTWISE_NO_BIAS),
    ("conv.0.1", "expand_norm", layouts.BATCH_NORM),
    ("conv.1.0", "depthwise", layouts.DEPTHWISE),
    ("conv.1.1", "depthwise_norm", layouts.BATCH_NORM),
    ("conv.2", "project", layouts.POINTWISE_NO_BIAS),
    ("conv.3", "project_norm", layouts.BATCH_NORM),
)
_NOT_EXPANDED: tuple[layouts.Row, ...] = (
    ("conv.0.0", "depthwise", layouts.DEPTHWISE),
    ("conv.0.1", "depthwise_norm", layouts.BATCH_NORM),
    ("conv.1", "project", layouts.POINTWISE_NO_BIAS),
    ("conv.2", "project_norm", layouts.BATCH_NORM),
)

_BOTTLENECK: tuple[layouts.Row, ...] = (
    ("conv1", "conv1", layouts.POINTWISE_NO_BIAS),
    ("bn1", "norm1", layouts.BATCH_NORM),
    ("conv2", "conv2", layouts.CONV_NO_BIAS),
    ("bn2", "norm2", layouts.BATCH_NORM),
    ("conv3", "conv3", layouts.POINTWISE_NO_BIAS),
    ("bn3", "norm3", layouts.BATCH_NORM),
)
_BOTTLENECK_DOWNSAMPLE: tuple[layouts.Row, ...] = (
    ("downsample.0", "downsample", layouts.POINTWISE_NO_BIAS),
    ("downsample.1", "downsample_norm", layouts.BATCH_NORM),
)

_SWIN_BLOCK: tuple[layouts.Row, ...] = (
    ("norm1", "norm1", layouts.NORM),
    ("attn", "attention", layouts.POSITION_TABLE),
    ("attn.qkv", "attention/query_key_value", layouts.LINEAR),
    ("attn.proj", "attention/projection", layouts.LINEAR),
    ("norm2", "norm2", layouts.NORM),
    ("mlp.fc1", "mlp_in", layouts.LINEAR),
    ("mlp.fc2", "mlp_out", layouts.LINEAR),
)
_SWIN_MERGING: tuple[layouts.Row, ...] = (
    ("reduction", "reduction", layouts.LINEAR_NO_BIAS),
    ("norm", "norm", layouts.NORM),
)


class PyTorchEncoder(NamedTuple):
    """How PyTorch files name an encoder's tensors; names have no ``encoder`` in front."""

    mark: str  # a pattern of how names begin that this encoder alone has
    rows: Callable[[], Iterable[layouts.Row]]  # its part of the conversion table
    # What a classifier has beyond the encoder: label and pattern of names.
    surplus: Mapping[str, str]
    lacking: str = r"(?!)"  # a pattern of the names that a classifier lacks; by default none
    # The integer buffers of its state dictionary.
    buffers: Callable[[], dict[str, np.ndarray]] = dict


def pytorch_encoder(config: EncoderConfig) -> PyTorchEncoder:
    """Returns the names of an encoder."""
    match config:
        case MobileNetV2Config():
            return PyTorchEncoder(
                mark=r"features\.\d+\.conv\.",
                rows=lambda: _mobilenet_v2_rows(config),
                surplus={"classifier.*": r"classifier\..*"},
            )
        case ResNetConfig():
            unused = f"layer{len(config.depths) + 1}"
            return PyTorchEncoder(
                mark=r"layer1\.",
                rows=lambda: _resnet_rows(config),
                surplus={f"{unused}.*": rf"{unused}\..*", "fc.*": r"fc\..*"},
            )
        case SwinConfig():
            last = len(config.depths)
            stage = rf"layers\.{last}\..*|layers\.{last - 1}\.downsample\..*"
            return PyTorchEncoder(
                mark=r"patch_embed\.",
                rows=lambda: _swin_rows(config),
                surplus={"last stage": stage, "norm.*": r"norm\..*", "head.*": r"head\..*"},
                lacking=r"norm\d\..*",  # normalises outputs that a classifier does not have
                buffers=lambda: _swin_buffers(config),
            )
        case _:
            assert_never(config)


def encoder_kind(names: Iterable[str]) -> str | None:
    """Returns which encoder a file's names belong to, ``None`` if to none that is known."""
    kinds: tuple[Callable[[], EncoderConfig], ...] = get_args(EncoderConfig)
    configs, names = [kind() for kind in kinds], tuple(names)
    return next((x.kind for x in configs if has_mark(names, pytorch_encoder(x).mark)), None)


def has_mark(names: Iterable[str], mark: str) -> bool:
    """Whether any name begins as the mark says, with or without ``encoder.`` in front."""
    return any(re.match(mark, name.removeprefix("encoder.")) for name in names)


def _mobilenet_v2_rows(config: MobileNetV2Config) -> Iterator[layouts.Row]:
    yield "features.0.0", "stem", layouts.CONV_NO_BIAS
    yield "features.0.1", "stem_norm", layouts.BATCH_NORM
    number = 0
    for number, spec in enumerate(block_specs(config), start=1):
        # PyTorch numbers the layers that are there; an expansion of 1 has no layer.
        rows = _EXPANDED if spec.expansion > 1 else _NOT_EXPANDED
        yield from layouts.under(f"features.{number}", f"block_{number}", rows)
    yield f"features.{number + 1}.0", "last", layouts.POINTWISE_NO_BIAS
    yield f"features.{number + 1}.1", "last_norm", layouts.BATCH_NORM


def _resnet_rows(config: ResNetConfig) -> Iterator[layouts.Row]:
    rows = [("conv1", "stem", layouts.CONV_NO_BIAS), ("bn1", "stem_norm", layouts.BATCH_NORM)]
    for stage, depth in enumerate(config.depths, start=1):
        for block in range(depth):
            inner = _BOTTLENECK if block else (*_BOTTLENECK, *_BOTTLENECK_DOWNSAMPLE)
            rows += layouts.under(f"layer{stage}.{block}", f"stage_{stage}_block_{block}", inner)
    for torch, flax, layout in rows:
        # Groups keep no statistics: their scale and offset alone go by the same names.
        is_group = layout is layouts.BATCH_NORM and config.norm == "group"
        yield torch, flax, layouts.NORM if is_group else layout


def _swin_rows(config: SwinConfig) -> Iterator[layouts.Row]:
    yield "patch_embed.proj", "patch_embedding", layouts.CONV
    yield "patch_embed.norm", "patch_norm", layouts.NORM
    for stage, depth in enumerate(config.depths):
        for block in range(depth):
            torch, flax = f"layers.{stage}.blocks.{block}", f"stage_{stage}_block_{block}"
            yield from layouts.under(torch, flax, _SWIN_BLOCK)
        if stage + 1 < len(config.depths):
            torch, flax = f"layers.{stage}.downsample", f"merging_{stage}"
            yield from layouts.under(torch, flax, _SWIN_MERGING)
    for stage in range(len(config.depths)):
        yield f"norm{stage}", f"norm_{stage}", layouts.NORM


def _swin_buffers(config: SwinConfig) -> dict[str, np.ndarray]:
    index = relative_position_index(config.window).astype(np.int64)
    return {
        f"layers.{stage}.blocks.{block}.attn.relative_position_index": index.copy()
        for stage, depth in enumerate(config.depths)
        for block in range(depth)
    }
