"""Second stage of SwinB-MAVOS; the recipe is that of r50_mavos_main.py, with crops of 464 pixels.

Command:  python train.py --config configs/swinb_mavos_main.py --workdir runs/swinb_mavos_main
Data:     data/youtube_vos/2019 and data/DAVIS.
          Elsewhere: --data.sources.0.root, --data.sources.1.root, --data.held_out.root (DAVIS).
Hardware: 4 GPUs of 80 GB, or --training.clip.rematerialise True; any number that divides the batch
          of 16 gives the same steps.
Time:     not stated by the paper for this encoder, not measured here.
Expected: J&F 86.4 on DAVIS 2017 val, 90.3 on Long-Time Video (the paper's figures, not measured
          here).
"""

import dataclasses

from r50_mavos_main import config as recipe
from swinb_mavos import config as network

config = dataclasses.replace(
    network,
    name="swinb_mavos_main",
    data=dataclasses.replace(recipe.data, crop=464),
    training=dataclasses.replace(recipe.training, start="runs/swinb_mavos_pre"),
)
