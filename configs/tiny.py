"""A small MAVOS that learns from generated videos on two CPU cores: the same classes.

Command:  python train.py --config configs/tiny.py --workdir runs/tiny
Hardware: two CPU cores, 5 GB; any number of devices that divides the batch of 8.
Time:     70 minutes on two cores of their own (1.3 seconds a step).
Expected: not measured to the end. After 400 steps (10 minutes) J&F 11 on the held-out set, where
          copying the first mask gives 7, untrained weights 4. The weights in mavos_jax/weights come
          from 950 steps of this file, 464 and 5039 more with its averaged weights as a start, 1000
          on eventful videos and 850 of tiny_main.py (the commands are in tiny.json): J&F 49 on the
          held-out set, 83 on the clip that evaluate.py draws by default. Without writes to the
          dynamic memory they reach 46.
"""

from mavos_jax.config import (
    ClipConfig,
    DataConfig,
    DecoderConfig,
    ELSTTConfig,
    Experiment,
    LoopConfig,
    MemoryConfig,
    OptimizerConfig,
    ResNetConfig,
    SourceConfig,
    TrainingConfig,
)

config = Experiment(
    name="tiny",
    encoder=ResNetConfig(width=16, depths=(1, 2, 2)),
    elstt=ELSTTConfig(num_blocks=2, dim=64, attention_dim=32, value_dim=128),
    # In token order, what MCA learns at one size holds at every other.
    memory=MemoryConfig(gap=5, mlp_ratio=2, released_value_layout=False),
    decoder=DecoderConfig(dim=64),
    data=DataConfig(
        sources=(SourceConfig(kind="synthetic", max_gap=4, num_videos=1_000_000),),
        clip_frames=5,
        crop=129,
        short_edge=0,
        scale=(1.0, 1.4),
        merge=0.0,
        colour=0.3,
        grey=0.05,
        blur=0.1,
        workers=1,
        threads=1,
    ),
    training=TrainingConfig(
        steps=2600,
        batch_size=8,
        accumulate=2,
        calibrate=True,
        clip=ClipConfig(gap=1, reference_loss=0.5, hard_pixels=0.25, dropout=False),
        optimizer=OptimizerConfig(
            peak_rate=1e-3,
            min_rate=1e-5,
            encoder_ratio=1.0,
            weight_decay=0.03,
            freeze_early=False,
        ),
        loop=LoopConfig(log_every=20, picture_every=200, evaluate_every=0, save_every=100),
    ),
)
