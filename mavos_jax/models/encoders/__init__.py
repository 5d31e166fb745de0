"""Image encoders: each maps a normalised image to maps at strides 4, 8, 16 and 16."""

from typing import assert_never

import flax.linen as nn

from mavos_jax.config import EncoderConfig, MobileNetV2Config, ResNetConfig, SwinConfig
from mavos_jax.models.backend import Backend
from mavos_jax.models.encoders import mobilenet_v2, resnet, swin


def build_encoder(config: EncoderConfig, backend: Backend) -> nn.Module:
    """Returns the encoder module that a configuration describes."""
    match config:
        case MobileNetV2Config():
            return mobilenet_v2.MobileNetV2(config, backend)
        case ResNetConfig():
            return resnet.ResNet(config, backend)
        case SwinConfig():
            return swin.Swin(config, backend)
        case _:
            assert_never(config)


def early_modules(config: EncoderConfig) -> tuple[str, ...]:
    """Returns the names of the encoder's first modules, which ``freeze_early`` freezes."""
    match config:
        case MobileNetV2Config():
            return ("stem", "block_1", "block_2", "block_3")
        case ResNetConfig():
            return ("stem", *(f"stage_1_block_{i}" for i in range(config.depths[0])))
        case SwinConfig():
            blocks = (f"stage_0_block_{i}" for i in range(config.depths[0]))  # not the merging
            return ("patch_embedding", "patch_norm", *blocks)
        case _:
            assert_never(config)
