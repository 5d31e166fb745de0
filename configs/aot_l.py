"""AOT-L, the paper's older baseline: the LSTT, one branch of eight heads, and a memory bank.

Command:  python convert_torch_weights.py --config configs/aot_l.py --input X.pth --output DIR
Expected: J&F 83.8 on DAVIS 2017 val, 60.3 on LVOS val with an unbounded bank (the paper's figures,
          not measured here). ``memory.capacity`` bounds it: 6 frames reach 83.2 on DAVIS and 59.4
          on LVOS, 2 frames 81.7 and 49.8 (paper Table 5).
"""

from mavos_jax.config import Experiment, LSTTConfig, MemoryConfig

config = Experiment(
    name="aot_l", elstt=LSTTConfig(), memory=MemoryConfig(policy="bank", gap=5, capacity=16)
)
