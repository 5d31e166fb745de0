"""The typed configuration of one experiment."""

from mavos_jax.config.data import DataConfig, SourceConfig
from mavos_jax.config.experiment import Experiment, InferenceConfig, from_dict, to_dict
from mavos_jax.config.network import (
    MAX_OBJECTS,
    NUM_IDENTITIES,
    DecoderConfig,
    ELSTTConfig,
    EncoderConfig,
    MemoryConfig,
    MobileNetV2Config,
    ResNetConfig,
    SwinConfig,
)
from mavos_jax.config.training import ClipConfig, LoopConfig, OptimizerConfig, TrainingConfig

__all__ = [
    "MAX_OBJECTS",
    "NUM_IDENTITIES",
    "ClipConfig",
    "DataConfig",
    "DecoderConfig",
    "ELSTTConfig",
    "EncoderConfig",
    "Experiment",
    "InferenceConfig",
    "LoopConfig",
    "MemoryConfig",
    "MobileNetV2Config",
    "OptimizerConfig",
    "ResNetConfig",
    "SourceConfig",
    "SwinConfig",
    "TrainingConfig",
    "from_dict",
    "to_dict",
]
