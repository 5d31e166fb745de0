"""The second stage of small: real video, stills and generated video, with late objects.

Command:  python train.py --config configs/small_main.py --workdir runs/small_main
Start:    the first stage's run, runs/small.
Data:     data/static; data/DAVIS; data/own/train, videos of several objects.
          Elsewhere: --data.sources.N.root.
Hardware: two CPU cores, 8 GB.
Time:     2 seconds a step on two cores of their own: 10 minutes.
Expected: not measured after a whole first stage. The weights in mavos_jax/weights, after 398 steps
          of it, 60 of this one at a rate of 8e-4 and these 300: J&F 58.9 on ten validation
          sequences of DAVIS 2016 (tiny: 53.2), late objects kept; 24 on a video of a dim, thin
          object (tiny: 85), 38 on the clip that evaluate.py draws (tiny: 97).
"""

import dataclasses

from small import config as small

from mavos_jax.config import SourceConfig

config = dataclasses.replace(
    small,
    name="small_main",
    data=dataclasses.replace(
        small.data,
        sources=(
            SourceConfig("static", root="data/static"),
            SourceConfig("davis2016", root="data/DAVIS", max_gap=4, repeats=60.0),
            SourceConfig("folder", root="data/own/train", max_gap=4, repeats=500.0),
            SourceConfig(split="eventful", max_gap=3, num_videos=1500),
        ),
        crop=161,
        short_edge=200,
        scale=(0.9, 1.5),
        merge=0.3,
        colour=0.2,
    ),
    training=dataclasses.replace(
        small.training,
        steps=300,
        start="runs/small",
        clip=dataclasses.replace(
            small.training.clip,
            teacher_forcing=0.0,
            reference_loss=0.1,
            hard_pixels=0.15,
            ramp=0.01,
            absence=0.02,
            absence_weight=2.0,
            background_margin=0.3,
            late=0.4,
        ),
        optimizer=dataclasses.replace(small.training.optimizer, peak_rate=6e-4, warmup=0.03),
    ),
)
