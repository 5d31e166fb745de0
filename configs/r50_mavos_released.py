"""R50-MAVOS as the released code trains it: the second stage with a learning rate of 5e-5.

Command:  python train.py --config configs/r50_mavos_released.py --workdir runs/r50_mavos_released
Data:     data/youtube_vos/2019 and data/DAVIS.
          Elsewhere: --data.sources.0.root, --data.sources.1.root, --data.held_out.root (DAVIS).
Hardware: 4 GPUs of 40 GB or more; any number that divides the batch of 16 gives the same steps.
Time:     as r50_mavos_main.py.
Expected: not known: the paper's figures are for 1e-4 (r50_mavos_main.py).
"""

import dataclasses

from r50_mavos_main import config as recipe

config = dataclasses.replace(
    recipe,
    name="r50_mavos_released",
    training=dataclasses.replace(
        recipe.training,
        optimizer=dataclasses.replace(recipe.training.optimizer, peak_rate=5e-5),
    ),
)
