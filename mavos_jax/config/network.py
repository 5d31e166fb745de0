"""The parts of the network: encoders, transformers, decoder and memory."""

import dataclasses
from typing import Literal

from mavos_jax.config.checks import Check

__all__ = [
    "IGNORED",
    "MAX_ID",
    "MAX_OBJECTS",
    "NORM_GROUPS",
    "NUM_IDENTITIES",
    "DecoderConfig",
    "ELSTTConfig",
    "EncoderConfig",
    "LSTTConfig",
    "MemoryConfig",
    "MobileNetV2Config",
    "ResNetConfig",
    "SwinConfig",
    "TransformerConfig",
]

MAX_OBJECTS = 10  # one identification bank tells apart; more are segmented in groups of ten
MAX_ID = 254  # the highest id of an object in a mask; 0 is the background
IGNORED = 255  # the id, in masks, and the slot of a pixel about which nothing is known
# Objects and background: the channels of the identification bank and of the decoder's logits.
NUM_IDENTITIES = MAX_OBJECTS + 1
NORM_GROUPS = 8  # in every group normalisation of the decoder, and of a ResNet that asks for it

_MOST_BLOCKS = 200  # in one stage; a damaged number would take forever to build
_BLOCKS = f"1 to {_MOST_BLOCKS} blocks a stage"


def _can_be_built(*numbers: int) -> bool:
    return min(numbers) >= 1 and max(numbers) <= _MOST_BLOCKS


@dataclasses.dataclass(frozen=True)
class MobileNetV2Config:
    """MobileNetV2 (Sandler et al. 2018) held at output stride 16.

    Attributes:
      stem: channels of the first convolution.
      stages: rows (expansion t, channels c, blocks n, nominal stride s) of inverted residuals. A
        stride that would go beyond 16 becomes a dilation of the blocks after it.
      last: channels of the closing 1x1 convolution.
    """

    kind: Literal["mobilenet_v2"] = "mobilenet_v2"
    stem: int = 32
    stages: tuple[tuple[int, int, int, int], ...] = (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    )
    last: int = 1280

    def __post_init__(self) -> None:
        check = Check("encoder", self)
        check.positive("stem", "last")
        check.that(
            all(min(row) >= 1 and row[2] <= _MOST_BLOCKS and row[3] <= 2 for row in self.stages),
            "stages",
            f"rows of (expansion, channels, 1 to {_MOST_BLOCKS} blocks, stride 1 or 2)",
        )
        expected = "exactly four rows of stride 2 (strides 4, 8, 16 and one held at 16)"
        check.that([row[3] for row in self.stages].count(2) == 4, "stages", expected)


@dataclasses.dataclass(frozen=True)
class ResNetConfig:
    """Bottleneck ResNet (He et al. 2016) without its last stage, output stride 16.

    Attributes:
      width: channels of the stem; stage i has ``4 * width * 2**i`` output channels.
      depths: bottleneck blocks of the three stages; (3, 4, 6) is ResNet-50.
      norm: ``frozen_batch`` as for ImageNet weights, or ``group``, which is trained from fresh
        weights.
    """

    kind: Literal["resnet"] = "resnet"
    width: int = 64
    depths: tuple[int, int, int] = (3, 4, 6)
    norm: Literal["frozen_batch", "group"] = "frozen_batch"

    def __post_init__(self) -> None:
        check = Check("encoder", self)
        check.positive("width")
        check.that(_can_be_built(*self.depths), "depths", _BLOCKS)
        is_divisible = self.norm != "group" or self.width % NORM_GROUPS == 0
        check.that(is_divisible, "width", f"a multiple of {NORM_GROUPS} with group normalisation")


@dataclasses.dataclass(frozen=True)
class SwinConfig:
    """Swin Transformer (Liu et al. 2021) without its last stage, output stride 16.

    Attributes:
      width: channels after the patch embedding; stage i has ``width * 2**i``.
      depths: blocks of the three stages; (2, 2, 18) is Swin-Base.
      heads: attention heads of the three stages.
      window: side of the attention windows, in tokens.
      drop_path: rate, in training, at which the last block drops a residual; it rises linearly from
        0 over the blocks of the whole classifier, two more than here.
    """

    kind: Literal["swin"] = "swin"
    width: int = 128
    depths: tuple[int, int, int] = (2, 2, 18)
    heads: tuple[int, int, int] = (4, 8, 16)
    window: int = 7
    drop_path: float = 0.3

    def __post_init__(self) -> None:
        check = Check("encoder", self)
        check.positive("width", "window")
        check.rates("drop_path")
        check.that(_can_be_built(*self.depths), "depths", _BLOCKS)
        for stage, heads in enumerate(self.heads):
            channels = self.width * 2**stage
            is_divisor = heads >= 1 and channels % heads == 0
            check.that(is_divisor, "heads", f"divisors of a stage's channels ({channels})")


EncoderConfig = MobileNetV2Config | ResNetConfig | SwinConfig


@dataclasses.dataclass(frozen=True)
class ELSTTConfig:
    """The efficient long short-term transformer (paper Sec. 3.1).

    Attributes:
      num_blocks: E-LSTT blocks.
      dim: channels D of the visual and of the identity branch.
      attention_dim: channels of queries and keys (one head).
      value_dim: channels E of the expanded values of one branch.
      window_radius: largest distance, in tokens, that short-term propagation looks at.
      channel_dropout: rate, in training, at which a propagation drops a channel.
      drop_path: rate, in training, at which self propagation drops a branch's update.
    """

    normalises_identification = True  # the embedding; no field

    kind: Literal["elstt"] = "elstt"
    num_blocks: int = 3
    dim: int = 256
    attention_dim: int = 128
    value_dim: int = 512
    window_radius: int = 7
    channel_dropout: float = 0.1
    drop_path: float = 0.1

    def __post_init__(self) -> None:
        check = Check("elstt", self)
        check.positive("dim", "attention_dim", "value_dim", "window_radius")
        check.that(_can_be_built(self.num_blocks), "num_blocks", _BLOCKS)
        check.rates("channel_dropout", "drop_path")


@dataclasses.dataclass(frozen=True)
class LSTTConfig:
    """The long short-term transformer of AOT (Yang et al. 2021), the paper's older baseline.

    Attributes:
      num_blocks: LSTT blocks.
      dim: channels D of the one branch, of queries, of keys and of values.
      num_heads: attention heads.
      hidden_dim: channels inside a block's multi-layer perceptron.
      window_radius: largest distance, in tokens, that short-term attention looks at.
      drop_path: rate, in training, at which a block drops the updates of its self attention and of
        its multi-layer perceptron.
    """

    normalises_identification = False  # the embedding; no field

    kind: Literal["lstt"] = "lstt"
    num_blocks: int = 3
    dim: int = 256
    num_heads: int = 8
    hidden_dim: int = 1024
    window_radius: int = 7
    drop_path: float = 0.1

    def __post_init__(self) -> None:
        check = Check("elstt", self)
        check.positive("dim", "num_heads", "hidden_dim", "window_radius")
        check.that(_can_be_built(self.num_blocks), "num_blocks", _BLOCKS)
        check.rates("drop_path")
        check.that(self.dim % 4 == 0, "dim", "a multiple of 4 (sines of two axes)")
        is_divisor = self.dim % self.num_heads == 0
        check.that(is_divisor, "num_heads", f"a divisor of elstt.dim ({self.dim})")
        is_grouped = self.hidden_dim % 32 == 0
        check.that(is_grouped, "hidden_dim", "a multiple of 32 (normalisation groups)")


TransformerConfig = ELSTTConfig | LSTTConfig


@dataclasses.dataclass(frozen=True)
class DecoderConfig:
    """The FPN decoder.

    Attributes:
      dim: channels at strides 16 and 8; half of it at stride 4.
    """

    dim: int = 256

    def __post_init__(self) -> None:
        expected = "a multiple of 16 (eight normalisation groups at half the width)"
        Check("decoder", self).that(self.dim >= 16 and self.dim % 16 == 0, "dim", expected)


@dataclasses.dataclass(frozen=True)
class MemoryConfig:
    """The long-term memory and how a frame is written into it.

    Attributes:
      policy: what the long-term memory keeps. ``mca``: the reference and one dynamic frame that
        every write updates (the paper's memory); ``reference``: only the reference; ``previous``:
        the frame written last, the reference until there is one; ``reference_previous``: both;
        ``bank``: the reference and the latest ``capacity - 1`` written frames (DeAOT-L).
      gap: frames between two writes when segmenting, counted from the last write or reference.
      capacity: frames that a ``bank`` holds, the reference included.
      grows: whether a ``bank``, when segmenting, starts with room for few frames and doubles it
        whenever it is full, up to ``capacity``.
      write: how ``mca`` updates the dynamic frame (paper Table 6). ``mca``: by modulated
        cross-attention; ``cross_attention``: without the modulation; ``focal_modulation``: without
        the attention.
      on_label: what a later frame with given masks does. ``fuse``: it runs as a reference and is
        written like any other frame (the released code); a network that saw every object from the
        first frame on in training may then lose the new ones. ``restart``: the memory begins again
        with this frame's prediction, overlaid with the new masks, as the reference.
      references: frames with given masks that ``mca`` and ``reference`` keep as they are, the first
        one included: later ones take the other places, each that of the oldest. 1 is the paper's.
      write_when: ``always`` writes every ``gap`` frames; ``confident`` lets a write wait until
        every object is seen and surely segmented, so that no doubtful mask is remembered.
      num_heads: attention heads of MCA.
      focal_levels: depthwise convolutions of MCA's focal context, kernels 3, 5, 7 (paper Table 8).
      mlp_ratio: hidden width of MCA's multi-layer perceptron, in multiples of its input.
      released_value_layout: read MCA's values channel-major, as the released PyTorch code does and
        its checkpoints need; ``False`` is the token order of the paper's Eq. 6.
      zero_start: start the outputs of a fresh MCA and of its perceptron at zero, so that a write
        stores the frame itself until training finds what to add; ``False`` is the released code's
        way.
      drop_path: rate, in training, at which MCA drops each of its two updates.
    """

    policy: Literal["mca", "bank", "reference", "previous", "reference_previous"] = "mca"
    gap: int = 10
    capacity: int = 16
    grows: bool = False
    write: Literal["mca", "cross_attention", "focal_modulation"] = "mca"
    on_label: Literal["fuse", "restart"] = "fuse"
    references: int = 1
    write_when: Literal["always", "confident"] = "always"
    num_heads: int = 4
    focal_levels: int = 2
    mlp_ratio: int = 4
    released_value_layout: bool = True
    zero_start: bool = False
    drop_path: float = 0.1

    def __post_init__(self) -> None:
        check = Check("memory", self)
        check.positive("gap", "references", "num_heads", "mlp_ratio")
        check.rates("drop_path")
        has_places = self.references == 1 or self.policy in ("mca", "reference")
        check.that(has_places, "references", "1, unless the policy is mca or reference")
        check.that(self.capacity >= 2, "capacity", "at least 2 frames")
        check.that(self.focal_levels in (1, 2, 3), "focal_levels", "1, 2 or 3")

    @property
    def is_modulated(self) -> bool:
        """Whether writes update a dynamic frame, which takes parameters."""
        return self.policy == "mca"

    @property
    def has_attention(self) -> bool:
        """Whether the parameters include attention heads."""
        return self.is_modulated and self.write != "focal_modulation"
