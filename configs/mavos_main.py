"""Second stage of MAVOS with the MobileNetV2 encoder; the recipe is that of r50_mavos_main.py.

Command:  python train.py --config configs/mavos_main.py --workdir runs/mavos_main
Data:     data/youtube_vos/2019 and data/DAVIS.
          Elsewhere: --data.sources.0.root, --data.sources.1.root, --data.held_out.root (DAVIS).
Hardware: 4 GPUs of 40 GB or more; any number that divides the batch of 16 gives the same steps.
Time:     under 25 hours on 4 A100 for both stages (the paper's figure, not measured here).
Expected: J&F 84.4 on DAVIS 2017 val, 87.4 on Long-Time Video (the paper's figures, not measured
          here).
"""

import dataclasses

from mavos import config as network
from r50_mavos_main import config as recipe

config = dataclasses.replace(
    network,
    name="mavos_main",
    data=recipe.data,
    training=dataclasses.replace(
        recipe.training,
        start="runs/mavos_pre",
        optimizer=dataclasses.replace(recipe.training.optimizer, min_rate=2e-5),
    ),
)
