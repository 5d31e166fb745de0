"""Which PyTorch tensor became which Flax array: one ordered table, read in both directions."""

from collections.abc import Iterator
from typing import NamedTuple, assert_never

import numpy as np

from mavos_jax.config import ELSTTConfig, Experiment, LSTTConfig, MemoryConfig, TransformerConfig
from mavos_jax.conversion.encoders import pytorch_encoder
from mavos_jax.conversion.layouts import (
    CONV,
    DEPTHWISE,
    LINEAR,
    LINEAR_NO_BIAS,
    MASK_TOKEN,
    NORM,
    POINTWISE,
    RELATIVE_VALUE,
    Layout,
    Row,
    under,
)


class Rule(NamedTuple):
    """One tensor: its PyTorch name, its path in the variables, and how the two order their axes."""

    torch: str
    flax: str
    layout: Layout


_ELSTT_BLOCK: tuple[Row, ...] = (
    ("norm1", "norm", NORM),
    ("linear_QV", "query_value", LINEAR),
    ("linear_U", "gate", LINEAR),
    ("id_norm1", "identity_norm", NORM),
    ("linear_ID_V", "identity_value", LINEAR),
    ("linear_ID_U", "identity_gate", LINEAR),
    ("long_term_attn.dw_conv.conv", "long_term/output/depthwise", DEPTHWISE),
    ("long_term_attn.projection", "long_term/output/projection", LINEAR),
    ("short_term_attn.relative_emb_k", "short_term/relative_key", POINTWISE),
    ("short_term_attn.dw_conv.conv", "short_term/output/depthwise", DEPTHWISE),
    ("short_term_attn.projection", "short_term/output/projection", LINEAR),
    ("norm2", "self_norm", NORM),
    ("id_norm2", "self_identity_norm", NORM),
    ("self_attn.linear_QK", "self_propagation/query_key", LINEAR),
    ("self_attn.linear_V1", "self_propagation/visual_value", LINEAR),
    ("self_attn.linear_V2", "self_propagation/identity_value", LINEAR),
    ("self_attn.linear_U1", "self_propagation/visual_gate", LINEAR),
    ("self_attn.linear_U2", "self_propagation/identity_gate", LINEAR),
    ("self_attn.dw_conv.conv", "self_propagation/output/depthwise", DEPTHWISE),
    ("self_attn.projection", "self_propagation/output/projection", LINEAR),
)
# The first block's identity branch is still empty.
_NOT_IN_FIRST_BLOCK = ("id_norm1", "linear_ID_U")

_LSTT_BLOCK: tuple[Row, ...] = (
    ("norm1", "self_norm", NORM),
    ("linear_Q", "query_key", LINEAR),
    ("linear_V", "value", LINEAR),
    ("long_term_attn.projection", "long_term/projection", LINEAR),
    ("short_term_attn", "short_term", RELATIVE_VALUE),
    # A grouped convolution; its outputs are head-major.
    ("short_term_attn.relative_emb_k", "short_term/relative_key", POINTWISE),
    ("short_term_attn.projection", "short_term/projection", LINEAR),
    ("norm2", "norm", NORM),
    ("self_attn.linear_Q", "self_attention/query", LINEAR),
    ("self_attn.linear_K", "self_attention/key", LINEAR),
    ("self_attn.linear_V", "self_attention/value", LINEAR),
    ("self_attn.projection", "self_attention/projection", LINEAR),
    ("norm3", "mlp_norm", NORM),
    ("linear1", "mlp/in", LINEAR),
    ("activation.gn", "mlp/norm", NORM),
    ("activation.conv", "mlp/depthwise", DEPTHWISE),
    ("linear2", "mlp/out", LINEAR),
)

_MCA_ATTENTION: tuple[Row, ...] = (
    ("norm_l", "new_norm", NORM),
    ("norm_c", "memory_norm", NORM),
    ("attn.q", "query", LINEAR_NO_BIAS),
    ("attn.k", "key", LINEAR_NO_BIAS),
    ("attn.v", "value", LINEAR_NO_BIAS),
    ("attn.proj", "projection", LINEAR),
    ("attn.f_context", "focal/context", LINEAR),
    ("attn.h", "focal/modulator", POINTWISE),
)
# No weights of the other writes were released: their names here are this package's choice.
_NOT_IN_WRITE = {
    "mca": ("attn.v",),
    "cross_attention": ("attn.f_context", "attn.focal_layers", "attn.h"),
    "focal_modulation": ("attn.k", "attn.v"),
}
_MCA_PERCEPTRON: tuple[Row, ...] = (
    ("norm2", "mlp_norm", NORM),
    ("mlp.fc1", "mlp_in", LINEAR),
    ("mlp.fc2", "mlp_out", LINEAR),
)
# PyTorch's position 2 would be the identity key, which no frame writes.
_MCA_OF_KIND = (("0", "key"), ("1", "visual_value"), ("3", "identity_value"))

_DECODER: tuple[Row, ...] = (
    ("conv_in.conv", "conv_in", POINTWISE),
    ("conv_in.gn", "norm_in", NORM),
    ("conv_16x.conv", "conv_16", CONV),
    ("conv_16x.gn", "norm_16", NORM),
    ("conv_8x.conv", "conv_8", CONV),
    ("conv_8x.gn", "norm_8", NORM),
    ("conv_4x.conv", "conv_4", CONV),
    ("conv_4x.gn", "norm_4", NORM),
    ("adapter_16x", "adapter_16", POINTWISE),
    ("adapter_8x", "adapter_8", POINTWISE),
    ("adapter_4x", "adapter_4", POINTWISE),
    ("conv_out", "conv_out", POINTWISE),
)


def conversion_rules(config: Experiment) -> tuple[Rule, ...]:
    """Returns the rule of every tensor of an experiment's network, in PyTorch's order."""
    rows = [
        *under("encoder", "encoder", pytorch_encoder(config.encoder).rows()),
        ("encoder_projector", "encoder_projector", POINTWISE),
        *_transformer_rows(config.elstt),
        *under("decoder", "decoder", _DECODER),
        ("patch_wise_id_bank", "identification", CONV),
    ]
    if config.elstt.normalises_identification:
        rows.append(("id_norm", "identification/norm", NORM))
    if config.memory.is_modulated:
        rows.extend(_mca_rows(config.memory, config.elstt.num_blocks))
    return tuple(
        Rule(f"{torch}.{torch_leaf}", f"{collection}/{flax}/{leaf}", layout)
        for torch, flax, kind in rows
        for torch_leaf, collection, leaf, layout in kind
    )


def computed_buffers(config: Experiment) -> dict[str, np.ndarray]:
    """Returns the integer buffers of the PyTorch state dictionary, which follow from the sizes."""
    buffers = pytorch_encoder(config.encoder).buffers()
    return {f"encoder.{name}": array for name, array in buffers.items()}


def _transformer_rows(config: TransformerConfig) -> Iterator[Row]:
    match config:
        case ELSTTConfig():
            return _elstt_rows(config)
        case LSTTConfig():
            return _lstt_rows(config)
        case _:
            assert_never(config)


def _elstt_rows(config: ELSTTConfig) -> Iterator[Row]:
    for i in range(config.num_blocks):
        rows = [row for row in _ELSTT_BLOCK if i > 0 or row[0] not in _NOT_IN_FIRST_BLOCK]
        yield from under(f"LSTT.layers.{i}", f"elstt/block_{i}", rows)
    yield "LSTT.decoder_norms.0.gn", "elstt/norm", NORM


def _lstt_rows(config: LSTTConfig) -> Iterator[Row]:
    yield "LSTT", "elstt", MASK_TOKEN
    for i in range(config.num_blocks):
        yield from under(f"LSTT.layers.{i}", f"elstt/block_{i}", _LSTT_BLOCK)
    for i in range(config.num_blocks):
        yield f"LSTT.decoder_norms.{i}", f"elstt/norm_{i}", NORM


def _mca_rows(config: MemoryConfig, num_blocks: int) -> Iterator[Row]:
    levels = [
        (f"attn.focal_layers.{level}.0", f"focal/focal_{level}", DEPTHWISE)
        for level in range(config.focal_levels)
    ]
    absent = _NOT_IN_WRITE[config.write]
    every = (*_MCA_ATTENTION, *levels, *_MCA_PERCEPTRON)
    rows = [row for row in every if not row[0].startswith(absent)]
    for i in range(num_blocks):
        for number, kind in _MCA_OF_KIND:
            torch = f"long_term_memory_attention.{i}.{number}.joint_modulation"
            yield from under(torch, f"memory_modulation/block_{i}/{kind}", rows)
