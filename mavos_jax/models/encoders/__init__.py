"""Image encoders: each maps a normalised image to maps at strides 4, 8, 16 and 16."""

from __future__ import annotations

import flax.linen as nn

from mavos_jax.config import EncoderConfig, MobileNetV2Config, ResNetConfig
from mavos_jax.models.backend import Backend
from mavos_jax.models.encoders.mobilenet_v2 import MobileNetV2
from mavos_jax.models.encoders.resnet import ResNet
from mavos_jax.models.encoders.swin import Swin

__all__ = ["MobileNetV2", "ResNet", "Swin", "build_encoder"]


def build_encoder(config: EncoderConfig, backend: Backend) -> nn.Module:
    """Returns the encoder module that a configuration describes."""
    if isinstance(config, MobileNetV2Config):
        return MobileNetV2(config, backend)
    if isinstance(config, ResNetConfig):
        return ResNet(config, backend)
    return Swin(config, backend)
