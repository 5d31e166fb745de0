"""Fine-tunes the packaged small network on your own videos, on a CPU in minutes.

Command:  python train.py --config configs/finetune_small.py --workdir runs/finetune_small
              --data.sources.0.root MY_VIDEOS --data.held_out.root MY_HELD_OUT_VIDEOS
Data:     JPEGImages/<video>/* beside Annotations/<video>/*.png, indexed PNGs of object ids.
Start:    mavos_jax/weights/small.safetensors; other weights with --training.start.
Hardware: two CPU cores, 6 GB.
Time:     2.8 seconds a step on two cores of their own: 3 minutes, and 1 of compilation.
Expected: J&F 29.3 before and 38.1 after, on the second half of a video of seven people at 432x240
          (DAVIS 2017's schoolgirls) whose first half was trained on; most of them are too small for
          this network. More steps, and larger objects, may gain more.
"""

import dataclasses

from small_main import config as small_main

from mavos_jax.config import SourceConfig

config = dataclasses.replace(
    small_main,
    name="finetune_small",
    memory=dataclasses.replace(small_main.memory, on_label="restart"),  # as packaged
    inference=dataclasses.replace(small_main.inference, max_long_edge=864),
    data=dataclasses.replace(
        small_main.data,
        sources=(SourceConfig(kind="folder", root="data/own/train"),),
        held_out=SourceConfig(kind="folder", root="data/own/held_out"),
        clip_frames=5,
        # As large as the inference above: objects in videos of one's own are often small.
        crop=225,
        short_edge=400,
        scale=(1.0, 1.4),
        merge=0.0,
        max_objects=10,
    ),
    training=dataclasses.replace(
        small_main.training,
        steps=60,
        start="mavos_jax/weights/small.safetensors",
        clip=dataclasses.replace(
            small_main.training.clip, gap=1, rematerialise=True, teacher_forcing=0.3, late=0.2
        ),
        optimizer=dataclasses.replace(
            small_main.training.optimizer, peak_rate=4e-4, min_rate=1e-6, freeze_encoder=True
        ),
        loop=dataclasses.replace(
            small_main.training.loop, log_every=10, evaluate_every=60, save_every=20
        ),
    ),
)
