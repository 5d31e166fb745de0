"""The long-term memory of a network."""

import dataclasses
from typing import Literal

from mavos_jax.config.checks import Check


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
      grows: whether a ``bank`` has room for few frames at first and for twice as many whenever it
        is full, up to ``capacity``, when segmenting.
      write: how ``mca`` updates the dynamic frame: ``mca`` modulated cross-attention;
        ``cross_attention`` without the modulation, ``focal_modulation`` without the attention
        (paper Table 6).
      on_label: what a later frame with given masks does. ``fuse``: it runs as a reference and is
        written like any other frame (the released code); a network that saw every object from the
        first frame on in training may then lose the new ones. ``restart``: the memory begins again
        with this frame's prediction, overlaid with the new masks, as the reference.
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
    num_heads: int = 4
    focal_levels: int = 2
    mlp_ratio: int = 4
    released_value_layout: bool = True
    zero_start: bool = False
    drop_path: float = 0.1

    def __post_init__(self) -> None:
        check = Check("memory", self)
        check.positive("gap", "num_heads", "mlp_ratio")
        check.rates("drop_path")
        check.that(self.capacity >= 2, "capacity", "at least 2 frames")
        check.that(self.focal_levels in (1, 2, 3), "focal_levels", "1, 2 or 3")

    @property
    def is_modulated(self) -> bool:
        """Whether writes update a dynamic frame; the memory has parameters then."""
        return self.policy == "mca"

    @property
    def has_attention(self) -> bool:
        """Whether the parameters are those of attention heads, too."""
        return self.is_modulated and self.write != "focal_modulation"
