"""The recipe of training: clips, optimiser, loop."""

import dataclasses
from typing import Literal

from mavos_jax.config.checks import Check


@dataclasses.dataclass(frozen=True)
class ClipConfig:
    """What one training step does with a clip.

    Attributes:
      gap: frames between two writes into the long-term memory.
      teacher_forcing: share of the steps that memorise true masks; after it the network memorises
        its own predictions and the identification bank is frozen.
      reference_loss: share of the steps over which the weight of the reference frame's own loss
        falls from 1 to 0.
      hard_pixels: share of the hardest pixels that cross-entropy keeps from ``ramp`` on.
      ramp: share of the steps over which the kept pixels fall from all of them to ``hard_pixels``.
      absence: penalty for predicting an absent object, in the soft Jaccard loss: spread over this
        share of the pixels it costs one half, over all of them nearly 1. At 0, as released, the
        network learns to predict something rather than nothing.
      absence_weight: weight of the penalty ``absence`` in a frame's mean over classes, where a
        visible class has 1. Scores reward more than 1: one wrong pixel costs everything.
      background_margin: amount taken off the background's logit inside the losses, so that a
        network in doubt prefers the background. Short clips show absent objects less often than
        videos, where a pixel of one costs more than a missed pixel.
      late: probability that the clips of a step introduce objects by a label in a later frame, as a
        user does. The label is pasted over the prediction, and the frame runs as a reference.
      shuffle_identities: permute the objects' slots, differently for every clip.
      dropout: use the network's drop rates.
      rematerialise: recompute each frame's activations in the backward pass, which saves memory.
      precision: type of products and convolutions; ``auto`` is bfloat16 on a GPU or TPU and float32
        on a CPU. Parameters, softmax, norms, residuals of the transformer and losses are float32.
    """

    gap: int = 2
    teacher_forcing: float = 0.5
    reference_loss: float = 1.0
    hard_pixels: float = 0.15
    ramp: float = 0.5
    absence: float = 0.0
    absence_weight: float = 1.0
    background_margin: float = 0.0
    late: float = 0.0
    shuffle_identities: bool = True
    dropout: bool = True
    rematerialise: bool = False
    precision: Literal["auto", "float32", "bfloat16"] = "auto"

    def __post_init__(self) -> None:
        check = Check("training.clip", self)
        check.positive("gap")
        check.shares("teacher_forcing", "reference_loss", expected="a share of the steps")
        check.above_zero("hard_pixels", "ramp", most=1.0, expected="a share above 0")
        check.that(0 <= self.absence < 1, "absence", "a share of the pixels")
        check.shares("late")
        check.not_negative("background_margin")
        check.above_zero("absence_weight", expected="a number above 0")
        is_used = self.absence > 0 or self.absence_weight == 1
        check.that(is_used, "absence_weight", "1 where training.clip.absence is 0")


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
    """The optimiser and its schedule.

    Attributes:
      kind: the optimiser. ``adamw`` is the paper's; ``muon`` (Jordan et al. 2024) makes the
        momentum of matrices and dense convolutions orthogonal and, from fresh weights, needs a
        fraction of the steps, at rates of the same size.
      peak_rate: learning rate after the warm-up.
      min_rate: learning rate at the first and at the last step.
      warmup: share of the steps that rise linearly from ``min_rate`` to ``peak_rate``.
      power: exponent of the polynomial decay after the warm-up.
      encoder_ratio: share of ``rate - min_rate`` that the encoder gets.
      weight_decay: decay of matrices and kernels.
      clip_norm: largest global norm of the gradient.
      ema: share of the steps over which the parameters' moving average looks back.
      freeze_early: freeze the encoder's first stages, as for ImageNet weights; not for fresh ones.
      freeze_encoder: freeze the whole encoder; a step then skips its backward pass, which takes
        most of the time of a small network's step.
      max_skipped: steps with a non-finite loss or gradient in a row, after which training stops.
    """

    kind: Literal["adamw", "muon"] = "adamw"
    peak_rate: float = 1e-4
    min_rate: float = 1e-5
    warmup: float = 0.05
    power: float = 0.9
    encoder_ratio: float = 0.1
    weight_decay: float = 0.07
    clip_norm: float = 5.0
    ema: float = 0.1
    freeze_early: bool = True
    freeze_encoder: bool = False
    max_skipped: int = 20

    def __post_init__(self) -> None:
        check = Check("training.optimizer", self)
        is_rising = 0 <= self.min_rate <= self.peak_rate and self.peak_rate > 0
        check.that(is_rising, "peak_rate", f"more than 0, and at least min_rate ({self.min_rate})")
        check.not_negative("min_rate", "encoder_ratio", "weight_decay")
        for name in ("warmup", "ema"):
            check.that(0 < getattr(self, name) < 1, name, "a share of the steps")
        check.above_zero("power", "clip_norm", expected="more than 0")
        check.positive("max_skipped")


@dataclasses.dataclass(frozen=True)
class LoopConfig:
    """What happens every so many steps; 0 turns pictures or evaluations off.

    Attributes:
      log_every: steps between two lines of metrics.
      picture_every: steps between two pictures of a clip with its masks.
      evaluate_every: steps between two evaluations on ``data.held_out``.
      evaluate_videos: most videos in an evaluation; 0 for all.
      save_every: steps between two checkpoints; an evaluation also saves one.
      keep: latest checkpoints to keep, in addition to the best one by J&F.
    """

    log_every: int = 20
    picture_every: int = 1000
    evaluate_every: int = 5000
    evaluate_videos: int = 0
    save_every: int = 5000
    keep: int = 4

    def __post_init__(self) -> None:
        check = Check("training.loop", self)
        check.not_negative(*dataclasses.asdict(self))
        check.positive("log_every", "keep", "save_every")


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """How a network is trained.

    Attributes:
      steps: optimiser steps of the whole run; every share of the recipe refers to them.
      batch_size: clips per step, over all devices of all processes.
      accumulate: sequential parts that a device splits its share of the batch into.
      seed: seed of fresh weights, data order, augmentation, dropout and identity shuffle.
      start: weights to start from: a checkpoint of this package, or PyTorch weights of a whole
        network or of an encoder; empty for fresh ones. What it lacks starts fresh.
      fresh: parts of the network that start fresh although ``start`` has them, as path prefixes
        such as ``memory_modulation`` or ``decoder/conv_out``.
      clip: what one step does with a clip.
      optimizer: the optimiser and its schedule.
      loop: what happens every so many steps.
    """

    steps: int = 100_000
    batch_size: int = 16
    accumulate: int = 1
    seed: int = 0
    start: str = ""
    fresh: tuple[str, ...] = ()
    clip: ClipConfig = ClipConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    loop: LoopConfig = LoopConfig()

    def __post_init__(self) -> None:
        check = Check("training", self)
        check.positive("steps", "batch_size", "accumulate")
        check.not_negative("seed")
        is_used = bool(self.start) or not self.fresh
        check.that(is_used, "fresh", "none without training.start: everything starts fresh")
