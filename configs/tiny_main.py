"""The second stage of tiny: own predictions, and videos in which objects hide, leave and return.

Command:  python train.py --config configs/tiny_main.py --workdir runs/tiny_main
Start:    the first stage's run, runs/tiny.
Hardware: two CPU cores, 5 GB.
Time:     15 minutes on two cores of their own (1 second a step).
Expected: J&F 49 on the held-out set and 83 on the clip that evaluate.py draws by default, from the
          start that mavos_jax/weights/tiny.json describes. Other starts were not measured.
"""

import dataclasses

from tiny import config as tiny

from mavos_jax.config import SourceConfig

_NUM_VIDEOS = 1_000_000

config = dataclasses.replace(
    tiny,
    name="tiny_main",
    data=dataclasses.replace(
        tiny.data,
        sources=(
            SourceConfig(kind="synthetic", split="eventful", max_gap=3, num_videos=_NUM_VIDEOS),
            SourceConfig(kind="synthetic", split="train", max_gap=2, num_videos=_NUM_VIDEOS),
        ),
        clip_frames=6,
    ),
    training=dataclasses.replace(
        tiny.training,
        steps=850,
        batch_size=4,
        accumulate=1,
        start="runs/tiny",
        clip=dataclasses.replace(
            tiny.training.clip, teacher_forcing=0.0, reference_loss=0.1, ramp=0.01
        ),
        optimizer=dataclasses.replace(tiny.training.optimizer, peak_rate=5e-4, warmup=0.02),
    ),
)
