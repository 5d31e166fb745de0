"""R50-MAVOS for LVOS: the second stage with a learning rate of 1e-5 (paper Sec. 4.1).

Command:  python train.py --config configs/r50_mavos_lvos.py --workdir runs/r50_mavos_lvos
Data:     data/youtube_vos/2019 and data/DAVIS; the paper evaluates on LVOS without training on it.
          Elsewhere: --data.sources.0.root, --data.sources.1.root, --data.held_out.root (DAVIS).
Hardware: 4 GPUs of 40 GB or more; any number that divides the batch of 16 gives the same steps.
Time:     as r50_mavos_main.py.
Expected: J&F 63.3 on LVOS val (the paper's figure, not measured here).
"""

import dataclasses

from r50_mavos_main import config as recipe

config = dataclasses.replace(
    recipe,
    name="r50_mavos_lvos",
    training=dataclasses.replace(
        recipe.training,
        optimizer=dataclasses.replace(recipe.training.optimizer, peak_rate=1e-5, min_rate=1e-5),
    ),
)
