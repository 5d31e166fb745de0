"""DeAOT-L, the paper's baseline: the same network with a bank of written frames instead of MCA.

Command:  python convert_torch_weights.py --config configs/deaot_l.py --input X.pth --output DIR
Expected: J&F 84.5 on DAVIS 2017 val, 61.1 on LVOS val, 87.9 on Long-Time Video with an unbounded
          bank (the paper's figures, not measured here): --memory.grows True --memory.capacity 1024.
          Bounded to 6 frames 84.5, 59.6 and 86.0: --memory.capacity 6 (paper Table 5); the memories
          of Table 7 have the same weights: --memory.policy, see docs/memory.md.
"""

from mavos_jax.config import Experiment, MemoryConfig

config = Experiment(name="deaot_l", memory=MemoryConfig(policy="bank", gap=5, capacity=16))
