"""A small MAVOS for tests and demonstrations: the same classes, 1.9 million parameters.

Command:  python evaluate.py --config configs/tiny.py --untrained --output demo
Expected: seconds on two CPU cores; its fresh weights segment nothing.
"""

from mavos_jax.config import (
    DecoderConfig,
    ELSTTConfig,
    Experiment,
    MemoryConfig,
    MobileNetV2Config,
)

config = Experiment(
    name="tiny",
    encoder=MobileNetV2Config(
        stem=16,
        stages=((1, 8, 1, 1), (4, 16, 2, 2), (4, 24, 2, 2), (4, 40, 2, 2), (4, 64, 2, 2)),
        last=128,
    ),
    elstt=ELSTTConfig(dim=64, attention_dim=32, value_dim=128),
    memory=MemoryConfig(gap=5, mlp_ratio=2),
    decoder=DecoderConfig(dim=64),
)
