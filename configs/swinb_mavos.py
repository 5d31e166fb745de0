"""MAVOS with the Swin-Base encoder: 91.6 million parameters (paper Tables 1-4).

Command:  python convert_torch_weights.py --config configs/swinb_mavos.py --input X.pth --output DIR
Expected: J&F 86.4 on DAVIS 2017 val, 64.8 on LVOS val, 90.3 on Long-Time Video; 22 FPS on a V100
          (the paper's figures, not measured here).
"""

from mavos_jax.config import Experiment, SwinConfig

config = Experiment(name="swinb_mavos", encoder=SwinConfig(), align_corners=False)
