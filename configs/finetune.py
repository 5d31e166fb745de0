"""Fine-tunes R50-MAVOS on your own videos: JPEGImages/<video>/* beside Annotations/<video>/*.png.

Command:  python train.py --config configs/finetune.py --workdir runs/finetune
              --data.sources.0.root MY_VIDEOS --data.held_out.root MY_HELD_OUT_VIDEOS
          For train/ and val/ in one folder give it twice, with --data.held_out.split val;
          without held-out videos: --training.loop.evaluate_every 0
Start:    converted weights in weights/r50; others with --training.start.
Hardware: one GPU; on several, raise --training.batch_size to a multiple of their number. If memory
          runs short: --training.accumulate 4.
Time:     not measured here.
Expected: depends on the videos. It memorises true masks to the end, so a few videos suffice and
          the identification bank keeps learning; J&F on the held-out videos is logged.
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
    name="finetune",
    data=DataConfig(
        sources=(SourceConfig(kind="folder", root="data/own/train", max_gap=5),),
        held_out=SourceConfig(kind="folder", root="data/own/held_out"),
    ),
    training=TrainingConfig(
        steps=4000,
        batch_size=4,
        start="weights/r50",
        clip=ClipConfig(teacher_forcing=1.0, reference_loss=0.0, rematerialise=True),
        optimizer=OptimizerConfig(peak_rate=2e-5, min_rate=2e-6),
        loop=LoopConfig(picture_every=200, evaluate_every=500, save_every=500),
    ),
)
