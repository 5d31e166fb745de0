"""Which PyTorch tensor became which Flax array: one ordered table, applied in both directions."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, assert_never

import numpy as np

from mavos_jax.checkpoints import mismatch
from mavos_jax.config import ELSTTConfig, Experiment, LSTTConfig, MemoryConfig, TransformerConfig
from mavos_jax.config.checks import require_kind
from mavos_jax.conversion import layouts
from mavos_jax.conversion.encoders import pytorch_encoder
from mavos_jax.models.mavos import Variables
from mavos_jax.runtime.trees import leaves_by_path, nested

NOT_FINITE = "expected finite numbers, found NaN or infinity"  # which no configuration can mend


class Rule(NamedTuple):
    """One tensor: its PyTorch name, its path in the variables, and how the two order their axes."""

    torch: str
    flax: str
    layout: layouts.Layout


_ELSTT_BLOCK: tuple[layouts.Row, ...] = (
    ("norm1", "norm", layouts.NORM),
    ("linear_QV", "query_value", layouts.LINEAR),
    ("linear_U", "gate", layouts.LINEAR),
    ("id_norm1", "identity_norm", layouts.NORM),
    ("linear_ID_V", "identity_value", layouts.LINEAR),
    ("linear_ID_U", "identity_gate", layouts.LINEAR),
    ("long_term_attn.dw_conv.conv", "long_term/output/depthwise", layouts.DEPTHWISE),
    ("long_term_attn.projection", "long_term/output/projection", layouts.LINEAR),
    ("short_term_attn.relative_emb_k", "short_term/relative_key", layouts.POINTWISE),
    ("short_term_attn.dw_conv.conv", "short_term/output/depthwise", layouts.DEPTHWISE),
    ("short_term_attn.projection", "short_term/output/projection", layouts.LINEAR),
    ("norm2", "self_norm", layouts.NORM),
    ("id_norm2", "self_identity_norm", layouts.NORM),
    ("self_attn.linear_QK", "self_propagation/query_key", layouts.LINEAR),
    ("self_attn.linear_V1", "self_propagation/visual_value", layouts.LINEAR),
    ("self_attn.linear_V2", "self_propagation/identity_value", layouts.LINEAR),
    ("self_attn.linear_U1", "self_propagation/visual_gate", layouts.LINEAR),
    ("self_attn.linear_U2", "self_propagation/identity_gate", layouts.LINEAR),
    ("self_attn.dw_conv.conv", "self_propagation/output/depthwise", layouts.DEPTHWISE),
    ("self_attn.projection", "self_propagation/output/projection", layouts.LINEAR),
)
# The first block's identity branch is still empty.
_NOT_IN_FIRST_BLOCK = ("id_norm1", "linear_ID_U")

_LSTT_BLOCK: tuple[layouts.Row, ...] = (
    ("norm1", "self_norm", layouts.NORM),
    ("linear_Q", "query_key", layouts.LINEAR),
    ("linear_V", "value", layouts.LINEAR),
    ("long_term_attn.projection", "long_term/projection", layouts.LINEAR),
    ("short_term_attn", "short_term", layouts.RELATIVE_VALUE),
    # A grouped convolution; its outputs are head-major.
    ("short_term_attn.relative_emb_k", "short_term/relative_key", layouts.POINTWISE),
    ("short_term_attn.projection", "short_term/projection", layouts.LINEAR),
    ("norm2", "norm", layouts.NORM),
    ("self_attn.linear_Q", "self_attention/query", layouts.LINEAR),
    ("self_attn.linear_K", "self_attention/key", layouts.LINEAR),
    ("self_attn.linear_V", "self_attention/value", layouts.LINEAR),
    ("self_attn.projection", "self_attention/projection", layouts.LINEAR),
    ("norm3", "mlp_norm", layouts.NORM),
    ("linear1", "mlp/in", layouts.LINEAR),
    ("activation.gn", "mlp/norm", layouts.NORM),
    ("activation.conv", "mlp/depthwise", layouts.DEPTHWISE),
    ("linear2", "mlp/out", layouts.LINEAR),
)

_MCA_ATTENTION: tuple[layouts.Row, ...] = (
    ("norm_l", "new_norm", layouts.NORM),
    ("norm_c", "memory_norm", layouts.NORM),
    ("attn.q", "query", layouts.LINEAR_NO_BIAS),
    ("attn.k", "key", layouts.LINEAR_NO_BIAS),
    ("attn.v", "value", layouts.LINEAR_NO_BIAS),
    ("attn.proj", "projection", layouts.LINEAR),
    ("attn.f_context", "focal/context", layouts.LINEAR),
    ("attn.h", "focal/modulator", layouts.POINTWISE),
)
# No weights of the other writes were released: their names here are this package's choice.
_NOT_IN_WRITE = {
    "mca": ("attn.v",),
    "cross_attention": ("attn.f_context", "attn.focal_layers", "attn.h"),
    "focal_modulation": ("attn.k", "attn.v"),
}
_MCA_PERCEPTRON: tuple[layouts.Row, ...] = (
    ("norm2", "mlp_norm", layouts.NORM),
    ("mlp.fc1", "mlp_in", layouts.LINEAR),
    ("mlp.fc2", "mlp_out", layouts.LINEAR),
)
# PyTorch's position 2 would be the identity key, which no frame writes.
_MCA_OF_KIND = (("0", "key"), ("1", "visual_value"), ("3", "identity_value"))

_DECODER: tuple[layouts.Row, ...] = (
    ("conv_in.conv", "conv_in", layouts.POINTWISE),
    ("conv_in.gn", "norm_in", layouts.NORM),
    ("conv_16x.conv", "conv_16", layouts.CONV),
    ("conv_16x.gn", "norm_16", layouts.NORM),
    ("conv_8x.conv", "conv_8", layouts.CONV),
    ("conv_8x.gn", "norm_8", layouts.NORM),
    ("conv_4x.conv", "conv_4", layouts.CONV),
    ("conv_4x.gn", "norm_4", layouts.NORM),
    ("adapter_16x", "adapter_16", layouts.POINTWISE),
    ("adapter_8x", "adapter_8", layouts.POINTWISE),
    ("adapter_4x", "adapter_4", layouts.POINTWISE),
    ("conv_out", "conv_out", layouts.POINTWISE),
)


def conversion_rules(config: Experiment) -> tuple[Rule, ...]:
    """Returns the rule of every tensor of an experiment's network, in PyTorch's order."""
    rows = [
        *layouts.under("encoder", "encoder", pytorch_encoder(config.encoder).rows()),
        ("encoder_projector", "encoder_projector", layouts.POINTWISE),
        *_transformer_rows(config.elstt),
        *layouts.under("decoder", "decoder", _DECODER),
        ("patch_wise_id_bank", "identification", layouts.CONV),
    ]
    if config.elstt.normalises_identification:
        rows.append(("id_norm", "identification/norm", layouts.NORM))
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


def _transformer_rows(config: TransformerConfig) -> Iterator[layouts.Row]:
    blocks = range(config.num_blocks)
    match config:
        case ELSTTConfig():
            for i in blocks:
                rows = [row for row in _ELSTT_BLOCK if i > 0 or row[0] not in _NOT_IN_FIRST_BLOCK]
                yield from layouts.under(f"LSTT.layers.{i}", f"elstt/block_{i}", rows)
            yield "LSTT.decoder_norms.0.gn", "elstt/norm", layouts.NORM
        case LSTTConfig():
            yield "LSTT", "elstt", layouts.MASK_TOKEN
            for i in blocks:
                yield from layouts.under(f"LSTT.layers.{i}", f"elstt/block_{i}", _LSTT_BLOCK)
            for i in blocks:
                yield f"LSTT.decoder_norms.{i}", f"elstt/norm_{i}", layouts.NORM
        case _:
            assert_never(config)


def _mca_rows(config: MemoryConfig, num_blocks: int) -> Iterator[layouts.Row]:
    levels = [
        (f"attn.focal_layers.{level}.0", f"focal/focal_{level}", layouts.DEPTHWISE)
        for level in range(config.focal_levels)
    ]
    absent = _NOT_IN_WRITE[config.write]
    every = (*_MCA_ATTENTION, *levels, *_MCA_PERCEPTRON)
    rows = [row for row in every if not row[0].startswith(absent)]
    for i in range(num_blocks):
        for number, kind in _MCA_OF_KIND:
            torch = f"long_term_memory_attention.{i}.{number}.joint_modulation"
            yield from layouts.under(torch, f"memory_modulation/block_{i}/{kind}", rows)


def convert_state_dict(config: Experiment, state: Mapping[str, Any]) -> Variables:
    """Converts a PyTorch state dictionary, arrays by name, into the network's variables.

    Total: every array is used and every variable is filled. Arrays of other floating-point types
    become float32. The integer buffers ``relative_position_index`` may be missing. Returns
    ``{"params": weights, "constants": batch-norm vectors}``, NumPy arrays. Raises
    :class:`WeightsMismatch`, a ValueError that lists everything missing, unexpected or misshapen.
    """
    require_kind("config", config, Experiment, "an Experiment")
    require_kind("state", state, Mapping, "arrays by PyTorch name; the script reads files")
    problems = find_problems(config, state)
    if problems:
        raise mismatch.WeightsMismatch(problems)
    leaves = {
        rule.flax: _own(rule.layout.to_flax(np.asarray(state[rule.torch])))
        for rule in conversion_rules(config)
    }
    return {"params": {}, "constants": {}, **nested(leaves)}


def to_state_dict(config: Experiment, variables: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Converts variables into a PyTorch state dictionary: the inverse of the conversion.

    Returns float32 arrays by PyTorch name, and the integer buffers ``relative_position_index``.
    Raises :class:`WeightsMismatch`, a ValueError that lists every variable that does not fit.
    """
    require_kind("config", config, Experiment, "an Experiment")
    require_kind("variables", variables, Mapping, "a dictionary of variables")
    leaves = leaves_by_path(variables)
    mismatch.require_shapes(config, leaves)
    state = {
        rule.torch: _own(rule.layout.to_torch(np.asarray(leaves[rule.flax])))
        for rule in conversion_rules(config)
    }
    return state | computed_buffers(config)


def torch_shapes(config: Experiment) -> dict[str, tuple[int, ...]]:
    """Returns the shape of every weight by its PyTorch name, in PyTorch's order."""
    shapes = mismatch.expected_shapes(config)
    return {x.torch: x.layout.torch_shape(shapes[x.flax]) for x in conversion_rules(config)}


def find_problems(config: Experiment, state: Mapping[str, Any]) -> mismatch.Problems:
    """Returns everything that keeps a PyTorch state dictionary from being converted."""
    arrays = {name: np.asarray(array) for name, array in state.items()}
    expected, buffers = torch_shapes(config), computed_buffers(config)
    shapes = {name: array.shape for name, array in arrays.items() if name not in buffers}
    problems = mismatch.compare_shapes(expected, shapes)
    mismatched = dict(problems.mismatched)
    for name in expected:
        if name not in arrays or name in mismatched:
            continue
        kind = arrays[name].dtype
        if not np.issubdtype(kind, np.floating) and kind.name != "bfloat16":
            mismatched[name] = f"expected floating-point numbers, found {kind}"
        elif not np.isfinite(arrays[name]).all():
            mismatched[name] = NOT_FINITE
    for name, index in buffers.items():
        if name in arrays and not np.array_equal(arrays[name], index):
            mismatched[name] = "expected the index of the configured window, found another"
    return dataclasses.replace(problems, mismatched=mismatched)


def _own(view: np.ndarray) -> np.ndarray:
    return np.array(view, np.float32, order="C")
