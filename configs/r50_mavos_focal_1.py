"""Ablation: R50-MAVOS with one focal level in MCA instead of two (paper Table 8).

Command:  python train.py --config configs/r50_mavos_focal_1.py --workdir runs/r50_mavos_focal_1
Data:     data/youtube_vos/2019 and data/DAVIS, as in r50_mavos_main.py.
Start:    DeAOT-L's released weights of the first stage as weights/R50_DeAOTL_PRE.pth;
          the memory starts fresh. Another start: --training.start
Hardware: 4 GPUs of 40 GB or more; any number that divides the batch of 16 gives the same steps.
Time:     as r50_mavos_main.py.
Expected: J&F 62.5 on LVOS val at 38.5 FPS, where two levels have 63.3 at 37.1 (the paper's figures,
          on a V100; not measured here).
"""

import dataclasses

from r50_mavos_main import config as recipe

config = dataclasses.replace(
    recipe,
    name="r50_mavos_focal_1",
    memory=dataclasses.replace(recipe.memory, focal_levels=1),
    training=dataclasses.replace(recipe.training, start="weights/R50_DeAOTL_PRE.pth"),
)
