"""Second stage of R50-MAVOS: YouTube-VOS 2019 and DAVIS 2017 (paper Sec. 4.1).

Command:  python train.py --config configs/r50_mavos_main.py --workdir runs/r50_mavos_main
Data:     data/youtube_vos/2019 and data/DAVIS, as their authors lay them out.
          Elsewhere: --data.sources.0.root, --data.sources.1.root, --data.held_out.root (DAVIS).
Start:    the first stage's run. The paper starts from DeAOT-L's released weights of that stage
          instead: --training.start R50_DeAOTL_PRE.pth
Hardware: 4 GPUs of 40 GB or more; any number that divides the batch of 16 gives the same steps.
Time:     under 25 hours on 4 A100 for both stages (the paper's figure, not measured here).
Expected: J&F 85.6 on DAVIS 2017 val, 87.5 on Long-Time Video (the paper's figures, not measured
          here).
"""

import dataclasses

from r50_mavos import config as network

from mavos_jax.config import ClipConfig, DataConfig, OptimizerConfig, SourceConfig, TrainingConfig

config = dataclasses.replace(
    network,
    name="r50_mavos_main",
    data=DataConfig(
        sources=(
            SourceConfig(kind="youtube_vos", root="data/youtube_vos/2019", max_gap=3),
            SourceConfig(kind="davis2017", root="data/DAVIS", max_gap=12, repeats=5.0),
        ),
        held_out=SourceConfig(kind="davis2017", root="data/DAVIS", split="val"),
    ),
    training=TrainingConfig(
        steps=100_000,
        batch_size=16,
        start="runs/r50_mavos_pre",
        clip=ClipConfig(teacher_forcing=0.5, reference_loss=1.0),
        optimizer=OptimizerConfig(peak_rate=1e-4, min_rate=1e-5, weight_decay=0.07),
    ),
)
