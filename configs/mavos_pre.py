"""First stage of MAVOS with the MobileNetV2 encoder; the recipe is that of r50_mavos_pre.py.

Command:  python train.py --config configs/mavos_pre.py --workdir runs/mavos_pre
Data:     data/static; the ImageNet weights of torchvision as weights/mobilenet_v2-b0353104.pth.
Hardware: 4 GPUs of 40 GB or more; any number that divides the batch of 16 gives the same steps.
Time:     under 25 hours on 4 A100 for both stages (the paper's figure, not measured here).
Expected: a start for mavos_main.py; the paper gives no figures of this stage.
"""

import dataclasses

from mavos import config as network
from r50_mavos_pre import config as recipe

config = dataclasses.replace(
    network,
    name="mavos_pre",
    data=recipe.data,
    training=dataclasses.replace(recipe.training, start="weights/mobilenet_v2-b0353104.pth"),
)
