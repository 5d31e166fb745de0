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

MOBILENET = Experiment(
    name="small_mobilenet",
    encoder=MobileNetV2Config(
        stem=4,
        stages=((1, 4, 1, 1), (2, 6, 1, 2), (2, 8, 2, 2), (2, 10, 1, 2), (2, 12, 1, 2)),
        last=14,
    ),
    elstt=ELSTT,
    memory=MemoryConfig(num_heads=4, focal_levels=1),
    decoder=DECODER,
)
RESNET = Experiment(
    name="small_resnet",
    encoder=ResNetConfig(width=4, depths=(1, 2, 1)),
    elstt=ELSTT,
    memory=MemoryConfig(num_heads=2, focal_levels=3, mlp_ratio=2),
    decoder=DECODER,
)
SWIN = Experiment(
    name="small_swin",
    encoder=SwinConfig(width=8, depths=(1, 2, 3), heads=(1, 2, 4), window=3),
    elstt=ELSTT,
    decoder=DECODER,
    align_corners=False,
)
BANK = Experiment(
    name="small_bank",
    encoder=MOBILENET.encoder,
    elstt=ELSTT,
    memory=MemoryConfig(policy="bank", focal_levels=1),
    decoder=DECODER,
)
LSTT = Experiment(
    name="small_lstt",
    encoder=MOBILENET.encoder,
    elstt=LSTTConfig(num_blocks=2, dim=16, num_heads=2, hidden_dim=32, window_radius=2),
    memory=BANK.memory,
    decoder=DECODER,
)
ALL = (MOBILENET, RESNET, SWIN, BANK, LSTT)

Config = TypeVar("Config", bound=Any)


def vary(config: Config, **fields: Any) -> Config:
    """A configuration with other values; a dictionary holds the other values of a part."""
    values = {
        name: vary(getattr(config, name), **value) if isinstance(value, dict) else value
        for name, value in fields.items()
    }
    return dataclasses.replace(config, **values)
