"""Ablation: the dynamic memory updated by cross-attention without modulation (paper Table 6).

Command:  python train.py --config configs/mavos_cross_attention.py --workdir runs/cross_attention
Data:     data/youtube_vos/2019 and data/DAVIS, as in mavos_main.py.
Start:    DeAOT-L's released weights of the first stage as weights/DeAOTL_PRE.pth;
          the memory starts fresh. Another start: --training.start
Hardware: 4 GPUs of 40 GB or more; any number that divides the batch of 16 gives the same steps.
Time:     as mavos_main.py.
Expected: J&F 84.3 on DAVIS 2017 val, 84.3 on Long-Time Video, 56.6 on LVOS val, where MCA has 84.4,
          87.4 and 60.9 (the paper's figures, not measured here).
"""

import dataclasses

from mavos_main import config as recipe

config = dataclasses.replace(
    recipe,
    name="mavos_cross_attention",
    memory=dataclasses.replace(recipe.memory, write="cross_attention"),
    training=dataclasses.replace(recipe.training, start="weights/DeAOTL_PRE.pth"),
)
