"""The typed configuration of one experiment: frozen dataclasses, checked on construction.

A file in ``configs/`` builds one :class:`Experiment` and names it ``config``. Every value can be
overridden on the command line by its field path, for example ``--memory.gap 5``.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal

MAX_OBJECTS = 10
"""Objects that one identification bank tells apart; more are segmented in groups of this many."""

NUM_IDENTITIES = MAX_OBJECTS + 1
"""Objects and background: the channels of the identification bank and of the decoder's logits."""


def _require(condition: bool, field: str, expected: str, found: object) -> None:
    if not condition:
        raise ValueError(f"{field}: expected {expected}, got {found!r}")


def _build(kind: Any, values: Any, path: str) -> Any:
    """Builds the value of type ``kind`` that ``values`` describes; ``path`` is for messages."""
    origin = typing.get_origin(kind)
    if origin in (types.UnionType, typing.Union):
        return _build(_union_member(kind, values, path), values, path)
    if dataclasses.is_dataclass(kind):
        _require(isinstance(values, Mapping), path or "config", "a mapping of fields", values)
        hints = typing.get_type_hints(kind)
        unknown = sorted(set(values) - set(hints))
        _require(not unknown, path or "config", f"only the fields {sorted(hints)}", unknown)
        fields = {
            name: _build(hints[name], value, f"{path}.{name}" if path else name)
            for name, value in values.items()
        }
        return typing.cast(Any, kind)(**fields)
    if origin is tuple:
        _require(isinstance(values, list | tuple), path, "a list", values)
        arguments = typing.get_args(kind)
        is_homogeneous = len(arguments) == 2 and arguments[1] is Ellipsis
        kinds = (arguments[0],) * len(values) if is_homogeneous else arguments
        _require(len(kinds) == len(values), path, f"{len(kinds)} values", values)
        return tuple(_build(k, v, path) for k, v in zip(kinds, values, strict=True))
    if origin is Literal:
        _require(values in typing.get_args(kind), path, f"one of {typing.get_args(kind)}", values)
        return values
    if kind is float and isinstance(values, int) and not isinstance(values, bool):
        return float(values)
    _require(type(values) is kind, path, f"a value of type {kind.__name__}", values)
    return values


def _union_member(kind: Any, values: Any, path: str) -> Any:
    """Picks the member of a union of dataclasses whose ``kind`` the values name."""
    members = {typing.get_type_hints(m)["kind"]: m for m in typing.get_args(kind)}
    names = {typing.get_args(literal)[0]: member for literal, member in members.items()}
    found = values.get("kind") if isinstance(values, Mapping) else values
    _require(found in names, f"{path}.kind", f"one of {sorted(names)}", found)
    return names[found]


def _check_types(owner: str, config: Any) -> None:
    """Raises unless every field of a configuration holds a value of its declared type."""
    for name, kind in typing.get_type_hints(type(config)).items():
        path, value = f"{owner}.{name}" if owner else name, getattr(config, name)
        parts = [part for part in (kind, *typing.get_args(kind)) if dataclasses.is_dataclass(part)]
        if parts:
            names = " or ".join(str(getattr(part, "__name__", part)) for part in parts)
            article = "a" if len(parts) == 1 else "one of"
            _require(type(value) in parts, path, f"{article} {names}", value)
        else:
            _build(kind, value, path)


def _require_positive(owner: str, **values: int) -> None:
    for name, value in values.items():
        _require(value >= 1, f"{owner}.{name}", "an integer of at least 1", value)


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
        _check_types("encoder", self)
        _require_positive("encoder", stem=self.stem, last=self.last)
        for row in self.stages:
            _require(
                len(row) == 4 and min(row) >= 1 and row[3] <= 2,
                "encoder.stages",
                "rows of (expansion, channels, blocks, stride 1 or 2)",
                row,
            )
        strides = [row[3] for row in self.stages]
        _require(
            strides.count(2) == 4,
            "encoder.stages",
            "exactly four rows of stride 2 (strides 4, 8, 16 and one held at 16)",
            strides,
        )


@dataclasses.dataclass(frozen=True)
class ResNetConfig:
    """Bottleneck ResNet (He et al. 2016) without its last stage, output stride 16.

    Attributes:
      width: channels of the stem; stage i has ``4 * width * 2**i`` output channels.
      depths: bottleneck blocks of the three stages; (3, 4, 6) is ResNet-50.
    """

    kind: Literal["resnet"] = "resnet"
    width: int = 64
    depths: tuple[int, int, int] = (3, 4, 6)

    def __post_init__(self) -> None:
        _check_types("encoder", self)
        _require_positive("encoder", width=self.width)
        _require(min(self.depths) >= 1, "encoder.depths", "at least one block a stage", self.depths)


@dataclasses.dataclass(frozen=True)
class SwinConfig:
    """Swin Transformer (Liu et al. 2021) without its last stage, output stride 16.

    Attributes:
      width: channels after the patch embedding; stage i has ``width * 2**i``.
      depths: blocks of the three stages; (2, 2, 18) is Swin-Base.
      heads: attention heads of the three stages.
      window: side of the attention windows, in tokens.
    """

    kind: Literal["swin"] = "swin"
    width: int = 128
    depths: tuple[int, int, int] = (2, 2, 18)
    heads: tuple[int, int, int] = (4, 8, 16)
    window: int = 7

    def __post_init__(self) -> None:
        _check_types("encoder", self)
        _require_positive("encoder", width=self.width, window=self.window)
        _require(min(self.depths) >= 1, "encoder.depths", "at least one block a stage", self.depths)
        for i, heads in enumerate(self.heads):
            channels = self.width * 2**i
            _require(
                heads >= 1 and channels % heads == 0,
                "encoder.heads",
                f"a divisor of the stage's {channels} channels",
                heads,
            )


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
    """

    num_blocks: int = 3
    dim: int = 256
    attention_dim: int = 128
    value_dim: int = 512
    window_radius: int = 7

    def __post_init__(self) -> None:
        _check_types("elstt", self)
        _require_positive("elstt", **dataclasses.asdict(self))


@dataclasses.dataclass(frozen=True)
class MemoryConfig:
    """The long-term memory and how a frame is written into it.

    Attributes:
      policy: ``mca`` keeps the reference and one dynamic frame that every write updates by
        modulated cross-attention (the paper's memory); ``bank`` keeps the reference and the
        latest ``capacity - 1`` written frames (DeAOT-L), the oldest dropped first.
      gap: frames between two writes when segmenting, counted from the last write or reference.
      capacity: frames that a ``bank`` holds, the reference included; unused by ``mca``.
      num_heads: attention heads of MCA.
      focal_levels: depthwise convolutions of MCA's focal context, kernels 3, 5, 7 (paper Table 8).
      mlp_ratio: hidden width of MCA's multi-layer perceptron, in multiples of its input.
      released_value_layout: read MCA's values channel-major, as the released PyTorch code does
        and its checkpoints were trained with; ``False`` is the token order of the paper's Eq. 6.
    """

    policy: Literal["mca", "bank"] = "mca"
    gap: int = 10
    capacity: int = 16
    num_heads: int = 4
    focal_levels: int = 2
    mlp_ratio: int = 4
    released_value_layout: bool = True

    def __post_init__(self) -> None:
        _check_types("memory", self)
        _require_positive(
            "memory", gap=self.gap, num_heads=self.num_heads, mlp_ratio=self.mlp_ratio
        )
        _require(self.capacity >= 2, "memory.capacity", "at least 2 frames", self.capacity)
        _require(
            self.focal_levels in (1, 2, 3), "memory.focal_levels", "1, 2 or 3", self.focal_levels
        )

    @property
    def num_frames(self) -> int:
        """Frames that the long-term memory has room for."""
        return 2 if self.policy == "mca" else self.capacity


@dataclasses.dataclass(frozen=True)
class DecoderConfig:
    """The FPN decoder.

    Attributes:
      dim: channels at strides 16 and 8; half of it at stride 4.
    """

    dim: int = 256

    def __post_init__(self) -> None:
        _check_types("decoder", self)
        _require(
            self.dim >= 16 and self.dim % 16 == 0,
            "decoder.dim",
            "a multiple of 16 (eight normalisation groups at half the width)",
            self.dim,
        )


@dataclasses.dataclass(frozen=True)
class InferenceConfig:
    """How videos are segmented.

    Attributes:
      max_long_edge: frames with a longer edge are shrunk to it before the network, in pixels.
      chunk_frames: frames that one compiled scan takes; bounds what lies on the device.
    """

    max_long_edge: int = 1040
    chunk_frames: int = 8

    def __post_init__(self) -> None:
        _check_types("inference", self)
        _require(
            self.max_long_edge >= 32,
            "inference.max_long_edge",
            "at least 32 pixels",
            self.max_long_edge,
        )
        _require_positive("inference", chunk_frames=self.chunk_frames)


@dataclasses.dataclass(frozen=True)
class Experiment:
    """Everything that defines one experiment.

    Attributes:
      name: a short name, used in messages and files.
      encoder: the image encoder.
      elstt: the propagation blocks.
      memory: the long-term memory.
      decoder: the mask decoder.
      align_corners: whether every bilinear resize aligns the corner pixels' centres; network sizes
        are then 16n + 1 and the identification bank's kernel 17x17, else 16n and 16x16.
      inference: how videos are segmented.
    """

    name: str
    encoder: EncoderConfig = MobileNetV2Config()
    elstt: ELSTTConfig = ELSTTConfig()
    memory: MemoryConfig = MemoryConfig()
    decoder: DecoderConfig = DecoderConfig()
    align_corners: bool = True
    inference: InferenceConfig = InferenceConfig()

    def __post_init__(self) -> None:
        _check_types("", self)
        _require(bool(self.name), "name", "a non-empty name", self.name)
        for field in ("attention_dim", "value_dim"):
            value = getattr(self.elstt, field)
            _require(
                self.memory.policy != "mca" or value % self.memory.num_heads == 0,
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

    Raises:
      ValueError: a field is unknown or a value is of the wrong type or range.
    """
    return _build(Experiment, values, "")
