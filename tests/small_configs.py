"""Networks with all the classes of the released ones, small enough to build in every test."""

import dataclasses
from typing import Any, TypeVar

from mavos_jax.config import (
    DecoderConfig,
    ELSTTConfig,
    Experiment,
    LSTTConfig,
    MemoryConfig,
    MobileNetV2Config,
    ResNetConfig,
    SwinConfig,
)

ELSTT = ELSTTConfig(num_blocks=2, dim=16, attention_dim=8, value_dim=12, window_radius=2)
DECODER = DecoderConfig(dim=16)

_STAGES = ((1, 4, 1, 1), (2, 6, 1, 2), (2, 8, 2, 2), (2, 10, 1, 2), (2, 12, 1, 2))
_INVERTED = MobileNetV2Config(stem=4, stages=_STAGES, last=14)
_RESIDUAL = ResNetConfig(width=4, depths=(1, 2, 1))
_WINDOWED = SwinConfig(width=8, depths=(1, 2, 3), heads=(1, 2, 4), window=3)
_LSTT = LSTTConfig(num_blocks=2, dim=16, num_heads=2, hidden_dim=32, window_radius=2)
_MCA = MemoryConfig(num_heads=4, focal_levels=1)
_DEEP_MCA = MemoryConfig(num_heads=2, focal_levels=3, mlp_ratio=2)
_BANK = MemoryConfig(policy="bank", focal_levels=1)

MOBILENET = Experiment("small_mobilenet", _INVERTED, ELSTT, _MCA, DECODER)
RESNET = Experiment("small_resnet", _RESIDUAL, ELSTT, _DEEP_MCA, DECODER)
SWIN = Experiment("small_swin", _WINDOWED, ELSTT, decoder=DECODER, align_corners=False)
BANK = Experiment("small_bank", _INVERTED, ELSTT, _BANK, DECODER)
LSTT = Experiment("small_lstt", _INVERTED, _LSTT, _BANK, DECODER)
ALL = (MOBILENET, RESNET, SWIN, BANK, LSTT)

Config = TypeVar("Config", bound=Any)


def vary(config: Config, **fields: Any) -> Config:
    """A configuration with other values; a dictionary holds the other values of a part."""
    values = {
        name: vary(getattr(config, name), **value) if isinstance(value, dict) else value
        for name, value in fields.items()
    }
    return dataclasses.replace(config, **values)
