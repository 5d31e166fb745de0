"""A small MAVOS for real video that two CPU cores can train: the first stage.

Command:  python train.py --config configs/small.py --workdir runs/small
Data:     data/static, still images with masks; the ImageNet weights of torchvision's MobileNetV2
          as weights/mobilenet_v2.safetensors. Elsewhere: --data.sources.0.root, --training.start.
Hardware: two CPU cores, 8 GB.
Time:     1 second a step on two cores of their own: 27 minutes.
Expected: a start for small_main.py. Not measured to the end: after 398 steps, on a shared machine,
          the mean IoU of the training clips was 0.35.
"""

import dataclasses

from tiny import config as tiny

from mavos_jax.config import (
    DecoderConfig,
    ELSTTConfig,
    InferenceConfig,
    MemoryConfig,
    MobileNetV2Config,
    SourceConfig,
)

config = dataclasses.replace(
    tiny,
    name="small",
    encoder=MobileNetV2Config(),
    elstt=ELSTTConfig(num_blocks=2, dim=128, attention_dim=64, value_dim=256),
    memory=MemoryConfig(gap=5, mlp_ratio=2, released_value_layout=False, zero_start=True),
    inference=InferenceConfig(min_short_edge=480, max_long_edge=704),
    decoder=DecoderConfig(dim=96),
    data=dataclasses.replace(
        tiny.data,
        sources=(
            SourceConfig(kind="static", root="data/static"),
            SourceConfig(split="eventful", max_gap=2, num_videos=1100),
        ),
    ),
    training=dataclasses.replace(
        tiny.training,
        steps=1600,
        start="weights/mobilenet_v2.safetensors",
        clip=dataclasses.replace(
            tiny.training.clip,
            teacher_forcing=0.4,
            reference_loss=0.4,
            absence=0.01,
            rematerialise=True,
        ),
        optimizer=dataclasses.replace(
            tiny.training.optimizer, encoder_ratio=0.1, freeze_early=True, freeze_encoder=True
        ),
        loop=dataclasses.replace(tiny.training.loop, keep=2),
    ),
)
