"""The typed configuration of one experiment."""

from mavos_jax.config.data import DataConfig, SourceConfig
from mavos_jax.config.experiment import Experiment, InferenceConfig, from_dict, to_dict
from mavos_jax.config.network import (
    IGNORED,
    MAX_ID,
    MAX_OBJECTS,
    NORM_GROUPS,
    NUM_IDENTITIES,
    DecoderConfig,
    ELSTTConfig,
    EncoderConfig,
    LSTTConfig,
    MemoryConfig,
    MobileNetV2Config,
    ResNetConfig,
    SwinConfig,
    TransformerConfig,
)
from mavos_jax.config.training import ClipConfig, LoopConfig, OptimizerConfig, TrainingConfig

__all__ = [
    "IGNORED",
    "MAX_ID",
    "MAX_OBJECTS",
    "NORM_GROUPS",
    "NUM_IDENTITIES",
    "ClipConfig",
    "DataConfig",
    "DecoderConfig",
    "ELSTTConfig",
    "EncoderConfig",
    "Experiment",
    "InferenceConfig",
    "LSTTConfig",
    "LoopConfig",
    "MemoryConfig",
    "MobileNetV2Config",
    "OptimizerConfig",
    "ResNetConfig",
    "SourceConfig",
    "SwinConfig",
    "TrainingConfig",
    "TransformerConfig",
    "from_dict",
    "to_dict",
]
