"""A small MAVOS for real video that two CPU cores can train: the first stage.

Command:  python train.py --config configs/small.py --workdir runs/small
Data:     data/static, still images with masks; the ImageNet weights of torchvision's MobileNetV2
          as weights/mobilenet_v2.safetensors. Elsewhere: --data.sources.0.root, --training.start.
Hardware: two CPU cores, 8 GB.
Time:     1 second a step on two cores of their own: 27 minutes.
Expected: a start for small_main.py. Not measured to the end: after 398 steps, on a machine that
          was shared, the mean IoU of the training clips was 0.35.
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
    SourceConfig,
    TrainingConfig,
)

config = Experiment(
    name="small",
    elstt=ELSTTConfig(num_blocks=2, dim=128, attention_dim=64, value_dim=256),
    memory=MemoryConfig(gap=5, mlp_ratio=2, released_value_layout=False, zero_start=True),
    decoder=DecoderConfig(dim=96),
    data=DataConfig(
        sources=(
            SourceConfig(kind="static", root="data/static"),
            SourceConfig(split="eventful", max_gap=2, num_videos=1100),
        ),
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
        steps=1600,
        batch_size=4,
        start="weights/mobilenet_v2.safetensors",
        clip=ClipConfig(
            gap=1,
            teacher_forcing=0.4,
            reference_loss=0.4,
            hard_pixels=0.25,
            ramp=0.1,
            absence=0.01,
            dropout=False,
            rematerialise=True,
        ),
        optimizer=OptimizerConfig(
            kind="muon",
            peak_rate=1e-3,
            min_rate=5e-6,
            warmup=0.02,
            encoder_ratio=0.1,
            weight_decay=0.06,
            freeze_encoder=True,
        ),
        loop=LoopConfig(log_every=20, picture_every=200, evaluate_every=0, save_every=100, keep=2),
    ),
)
