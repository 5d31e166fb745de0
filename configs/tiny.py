"""A small MAVOS that learns from generated videos on two CPU cores: the same classes.

Command:  python train.py --config configs/tiny.py --workdir runs/tiny
Hardware: two CPU cores, 5 GB; any number of devices that divides the batch of 4.
Time:     50 minutes on two cores of their own (1 second a step, 75 seconds of compilation).
Expected: not measured to the end. After 608 steps (10 minutes and the compilation) J&F 39 on the
          held-out set, where copying the first mask gives 7, and 82 on the clip that evaluate.py
          draws by default. The weights in mavos_jax/weights come from these 608 steps and eleven
          runs of tiny_main.py, 17,287 steps (commands in their metadata): J&F 79.1 and 96.9.
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
    encoder=ResNetConfig(width=16, depths=(1, 2, 2), norm="group"),
    elstt=ELSTTConfig(num_blocks=2, dim=96, attention_dim=48, value_dim=192),
    # What MCA learns in token order at one size holds at every other. Every object of the training
    # clips is in the reference, so a late one that is fused would be lost at once.
    memory=MemoryConfig(gap=5, on_label="restart", mlp_ratio=2, released_value_layout=False),
    decoder=DecoderConfig(dim=64),
    data=DataConfig(
        sources=(SourceConfig(kind="synthetic", max_gap=3, num_videos=1_000_000),),
        clip_frames=5,
        crop=129,
        short_edge=0,
        scale=(1.0, 1.4),
        merge=0.0,
        max_objects=4,
        colour=0.3,
        grey=0.05,
        blur=0.1,
        workers=1,
        threads=1,
    ),
    training=TrainingConfig(
        steps=3000,
        batch_size=4,
        clip=ClipConfig(gap=1, reference_loss=0.5, hard_pixels=0.25, ramp=0.1, dropout=False),
        optimizer=OptimizerConfig(
            kind="muon",
            peak_rate=1e-3,
            min_rate=5e-6,
            warmup=0.02,
            encoder_ratio=1.0,
            weight_decay=0.06,
            freeze_early=False,
        ),
        loop=LoopConfig(log_every=20, picture_every=200, evaluate_every=0, save_every=100),
    ),
)
