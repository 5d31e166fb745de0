"""The feature pyramid decoder: from propagated tokens and encoder shortcuts to identity logits.

PyTorch ``FPNSegmentationHead``.
"""

from __future__ import annotations

import flax.linen as nn
from jaxtyping import Array, Float

from mavos_jax.axes import Logits, Map, Propagated
from mavos_jax.config import NORM_GROUPS, NUM_IDENTITIES, DecoderConfig
from mavos_jax.models.forms import Forms
from mavos_jax.models.layers import conv, group_norm
from mavos_jax.models.resize import resize_bilinear


class FPNDecoder(nn.Module):
    """Refines from stride 16 to 4, adding an adapted encoder map at each stride.

    Attributes:
      config: widths.
      align_corners: of the bilinear upsampling.
      forms: how the operations are computed.
    """

    config: DecoderConfig
    align_corners: bool
    forms: Forms

    @nn.compact
    def __call__(
        self,
        propagated: Propagated,
        shortcuts: tuple[
            Float[Array, "h4 w4 c4"], Float[Array, "h8 w8 c8"], Float[Array, "h16 w16 c16"]
        ],
    ) -> Logits:
        """Returns the logits of all identities at stride 4.

        Args:
          propagated: [h, w, 2 D], the E-LSTT's output at stride 16.
          shortcuts: encoder maps at strides 4, 8 and 16.
        """
        stride4, stride8, stride16 = shortcuts
        wide, narrow = self.config.dim, self.config.dim // 2
        x = nn.Dense(wide, dtype=self.forms.dtype, name="conv_in")(propagated)
        x = nn.relu(group_norm(NORM_GROUPS, "norm_in")(x))
        x = self._refine(x, stride16, wide, wide, "16")
        x = self._refine(self._upsample(x, stride8), stride8, wide, narrow, "8")
        x = self._refine(self._upsample(x, stride4), stride4, narrow, narrow, "4")
        return nn.Dense(NUM_IDENTITIES, name="conv_out")(x)

    def _refine(
        self, x: Map, shortcut: Array, dim: int, out: int, stride: str
    ) -> Float[Array, "h w c2"]:
        """relu(GroupNorm(Conv3x3(adapter(shortcut) + x)))."""
        x = nn.Dense(dim, dtype=self.forms.dtype, name=f"adapter_{stride}")(shortcut) + x
        x = conv(out, 3, f"conv_{stride}", self.forms, padding=1)(x)
        return nn.relu(group_norm(NORM_GROUPS, f"norm_{stride}")(x))

    def _upsample(self, x: Map, like: Array) -> Float[Array, "h2 w2 c"]:
        return resize_bilinear(x, (like.shape[0], like.shape[1]), align_corners=self.align_corners)
