"""Fine-tunes the packaged small network on your own videos, on a CPU in minutes.

Command:  python train.py --config configs/finetune_small.py --workdir runs/finetune_small
              --data.sources.0.root MY_VIDEOS --data.held_out.root MY_HELD_OUT_VIDEOS
Data:     JPEGImages/<video>/* beside Annotations/<video>/*.png, indexed PNGs of object ids.
Start:    mavos_jax/weights/small.safetensors; other weights with --training.start.
Hardware: two CPU cores, 6 GB.
Time:     5 seconds a step on two cores of their own: 12 minutes.
Expected: depends on the videos; J&F on the held-out ones is logged.
"""

import dataclasses

from small_main import config as small_main

from mavos_jax.config import SourceConfig

config = dataclasses.replace(
    small_main,
    name="finetune_small",
    data=dataclasses.replace(
        small_main.data,
        sources=(SourceConfig(kind="folder", root="data/own/train", max_gap=3),),
        held_out=SourceConfig(kind="folder", root="data/own/held_out"),
        merge=0.0,
        max_objects=10,
    ),
    training=dataclasses.replace(
        small_main.training,
        steps=150,
        start="mavos_jax/weights/small.safetensors",
        # True masks to the end, as in finetune.py.
        clip=dataclasses.replace(small_main.training.clip, teacher_forcing=0.3, late=0.2),
        optimizer=dataclasses.replace(
            small_main.training.optimizer, peak_rate=1e-4, min_rate=1e-6, freeze_encoder=True
        ),
        loop=dataclasses.replace(
            small_main.training.loop, log_every=10, evaluate_every=75, save_every=75
        ),
    ),
)
