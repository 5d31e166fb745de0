"""First stage of R50-MAVOS: static images, deformed into clips (paper Sec. 4.1).

Command:  python train.py --config configs/r50_mavos_pre.py --workdir runs/r50_mavos_pre
Data:     COCO, ECSSD, MSRA10K, PASCAL-S and PASCAL VOC 2012 under data/static; the ImageNet weights
          of torchvision as weights/resnet50-0676ba61.pth.
Hardware: 4 GPUs of 40 GB or more; any number that divides the batch of 16 gives the same steps.
Time:     under 25 hours on 4 A100 for both stages (the paper's figure, not measured here).
Expected: a start for r50_mavos_main.py; the paper gives no figures of this stage.
"""

import dataclasses

from r50_mavos import config as network

from mavos_jax.config import (
    ClipConfig,
    DataConfig,
    LoopConfig,
    OptimizerConfig,
    SourceConfig,
    TrainingConfig,
)

config = dataclasses.replace(
    network,
    name="r50_mavos_pre",
    data=DataConfig(sources=(SourceConfig(kind="static", root="data/static"),)),
    training=TrainingConfig(
        steps=100_000,
        batch_size=16,
        start="weights/resnet50-0676ba61.pth",
        clip=ClipConfig(teacher_forcing=1.0, reference_loss=0.1),
        optimizer=OptimizerConfig(peak_rate=4e-4, min_rate=2e-5, weight_decay=0.03),
        # The second stage starts from the last step, which a score would make it choose among.
        loop=LoopConfig(evaluate_every=0),
    ),
)
