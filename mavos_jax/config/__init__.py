"""The typed configuration of one experiment."""

from mavos_jax.config import network
from mavos_jax.config.data import DataConfig, SourceConfig
from mavos_jax.config.experiment import Experiment, InferenceConfig, from_dict, to_dict
from mavos_jax.config.network import *
from mavos_jax.config.training import ClipConfig, LoopConfig, OptimizerConfig, TrainingConfig

__all__ = [
    "ClipConfig",
    "DataConfig",
    "Experiment",
    "InferenceConfig",
    "LoopConfig",
    "OptimizerConfig",
    "SourceConfig",
    "TrainingConfig",
    "from_dict",
    "to_dict",
]
__all__ += network.__all__
