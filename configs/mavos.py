"""MAVOS with the MobileNetV2 encoder: 34.4 million parameters (paper Tables 1-4).

Command:  python convert_torch_weights.py --config configs/mavos.py --input X.pth --output DIR
Expected: J&F 84.4 on DAVIS 2017 val, 60.9 on LVOS val, 87.4 on Long-Time Video; 39 FPS on a V100
          (the paper's figures, not measured here).
"""

from mavos_jax.config import Experiment

config = Experiment(name="mavos")
