"""The typed configuration of one experiment: frozen dataclasses, checked on construction.

A file in ``configs/`` builds one :class:`Experiment` and names it ``config``. Every value can be
overridden on the command line by its field path, for example ``--memory.gap 5``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from mavos_jax.config.checks import Check, build, require
from mavos_jax.config.data import DataConfig
from mavos_jax.config.memory import MemoryConfig
from mavos_jax.config.network import (
    DecoderConfig,
    ELSTTConfig,
    EncoderConfig,
    LSTTConfig,
    MobileNetV2Config,
    TransformerConfig,
)
from mavos_jax.config.training import TrainingConfig


@dataclasses.dataclass(frozen=True)
class InferenceConfig:
    """How videos are segmented.

    Attributes:
      max_long_edge: frames with a longer edge are shrunk to it before the network, in pixels.
      min_short_edge: frames with a shorter edge are enlarged to it before the network, in pixels,
        so far as ``max_long_edge`` allows; 0 enlarges nothing, as with the paper's networks.
      chunk_frames: frames in one compiled scan; bounds what lies on the device.
      precision: type of products and convolutions. ``tf32`` keeps float32 values and multiplies
        them in the device's faster, rougher way, where it has one. Softmax, norms, residual sums
        and logits are always float32.
    """

    max_long_edge: int = 1040
    min_short_edge: int = 0
    chunk_frames: int = 8
    precision: Literal["float32", "tf32", "bfloat16"] = "float32"

    def __post_init__(self) -> None:
        check = Check("inference", self)
        check.that(self.max_long_edge >= 32, "max_long_edge", "at least 32 pixels")
        check.that(
            0 <= self.min_short_edge <= self.max_long_edge,
            "min_short_edge",
            f"0 or more, and no more than inference.max_long_edge ({self.max_long_edge})",
        )
        check.positive("chunk_frames")


@dataclasses.dataclass(frozen=True)
class Experiment:
    """Everything that defines one experiment.

    Attributes:
      name: a short name, used in messages and files.
      encoder: the image encoder.
      elstt: the propagation blocks: the E-LSTT, or the LSTT of AOT.
      memory: the long-term memory.
      decoder: the mask decoder.
      align_corners: whether every bilinear resize aligns the corner pixels' centres; network sizes
        are then 16n + 1 and the identification bank's kernel 17x17, else 16n and 16x16.
      inference: how videos are segmented.
      data: the data of training.
      training: the recipe of training.
    """

    name: str
    encoder: EncoderConfig = MobileNetV2Config()
    elstt: TransformerConfig = ELSTTConfig()
    memory: MemoryConfig = MemoryConfig()
    decoder: DecoderConfig = DecoderConfig()
    align_corners: bool = True
    inference: InferenceConfig = InferenceConfig()
    data: DataConfig = DataConfig()
    training: TrainingConfig = TrainingConfig()

    def __post_init__(self) -> None:
        Check("", self).that(bool(self.name), "name", "a non-empty name")
        if isinstance(self.elstt, LSTTConfig):
            require(
                not self.memory.is_modulated,
                "memory.policy",
                "'bank' or another without MCA with the transformer 'lstt'",
                self.memory.policy,
            )
            return
        for field in ("attention_dim", "value_dim"):
            value = getattr(self.elstt, field)
            require(
                not self.memory.has_attention or value % self.memory.num_heads == 0,
                f"elstt.{field}",
                f"a multiple of memory.num_heads ({self.memory.num_heads})",
                value,
            )


def to_dict(config: Any) -> dict[str, Any]:
    """Returns a configuration as nested dictionaries of JSON values."""
    return dataclasses.asdict(config)


def from_dict(values: Mapping[str, Any]) -> Experiment:
    """Rebuilds an :class:`Experiment` from :func:`to_dict`'s output, or from its JSON form.

    Fields that ``values`` lacks take their defaults, so configurations written by an older version
    stay readable.
    """
    match values:
        case {"elstt": {**transformer}} if "kind" not in transformer:
            # Written when there was one transformer only.
            values = {**values, "elstt": {"kind": "elstt", **transformer}}
    return build(Experiment, values, "")
