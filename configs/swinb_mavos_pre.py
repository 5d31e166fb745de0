"""First stage of SwinB-MAVOS; the recipe is that of r50_mavos_pre.py, with crops of 464 pixels.

Command:  python train.py --config configs/swinb_mavos_pre.py --workdir runs/swinb_mavos_pre
Data:     data/static; the ImageNet-22k weights of Swin's authors as
          weights/swin_base_patch4_window7_224_22k.pth.
Hardware: 4 GPUs of 80 GB, or --training.clip.rematerialise True; any number that divides the batch
          of 16 gives the same steps.
Time:     not stated by the paper for this encoder, not measured here.
Expected: a start for swinb_mavos_main.py; the paper gives no figures of this stage.
"""

import dataclasses

from r50_mavos_pre import config as recipe
from swinb_mavos import config as network

config = dataclasses.replace(
    network,
    name="swinb_mavos_pre",
    data=dataclasses.replace(recipe.data, crop=464),
    training=dataclasses.replace(
        recipe.training, start="weights/swin_base_patch4_window7_224_22k.pth"
    ),
)
