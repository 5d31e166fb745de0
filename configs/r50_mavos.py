"""MAVOS with the ResNet-50 encoder: 41.1 million parameters (paper Tables 1-4).

Command:  python convert_torch_weights.py --config configs/r50_mavos.py --input X.pth --output DIR
Expected: J&F 85.6 on DAVIS 2017 val, 63.3 on LVOS val, 87.5 on Long-Time Video; 38 FPS on a V100
          (the paper's figures, not measured here).
"""

from mavos_jax.config import Experiment, ResNetConfig

config = Experiment(name="r50_mavos", encoder=ResNetConfig())
