"""The feature pyramid decoder, from tokens to identity logits (``FPNSegmentationHead``)."""

import flax.linen as nn
from jaxtyping import Array, Float

from mavos_jax.axes import Logits, Map, Propagated
from mavos_jax.config import NORM_GROUPS, NUM_IDENTITIES, DecoderConfig
from mavos_jax.models.backend import Backend
from mavos_jax.models.initialisation import lecun_normal
from mavos_jax.models.layers import conv, dense, group_norm
from mavos_jax.models.resize import resize_bilinear

Shortcuts = tuple[Float[Array, "h4 w4 c4"], Float[Array, "h8 w8 c8"], Float[Array, "h16 w16 c16"]]
"""The encoder's maps of a frame at strides 4, 8 and 16."""
Adapted = tuple[Float[Array, "h4 w4 a4"], Float[Array, "h8 w8 a8"], Float[Array, "h16 w16 a16"]]
"""The same in the decoder's widths."""


class FPNDecoder(nn.Module):
    """Refines from stride 16 to 4, adding an adapted encoder map at each stride."""

    config: DecoderConfig
    align_corners: bool
    backend: Backend

    def setup(self) -> None:
        wide, narrow = self.config.dim, self.config.dim // 2
        self.conv_in = dense(wide, "conv_in", self.backend)
        self.norm_in = group_norm(NORM_GROUPS, "norm_in", self.backend)
        self.adapter_16 = dense(wide, "adapter_16", self.backend)
        self.conv_16 = conv(wide, 3, "conv_16", self.backend, padding=1)
        self.norm_16 = group_norm(NORM_GROUPS, "norm_16", self.backend)
        self.adapter_8 = dense(wide, "adapter_8", self.backend)
        self.conv_8 = conv(narrow, 3, "conv_8", self.backend, padding=1)
        self.norm_8 = group_norm(NORM_GROUPS, "norm_8", self.backend)
        self.adapter_4 = dense(narrow, "adapter_4", self.backend)
        self.conv_4 = conv(narrow, 3, "conv_4", self.backend, padding=1)
        self.norm_4 = group_norm(NORM_GROUPS, "norm_4", self.backend)
        self.conv_out = nn.Dense(NUM_IDENTITIES, kernel_init=lecun_normal)

    def adapt(self, shortcuts: Shortcuts) -> Adapted:
        """Returns the encoder's maps in the decoder's widths."""
        stride4, stride8, stride16 = shortcuts
        return self.adapter_4(stride4), self.adapter_8(stride8), self.adapter_16(stride16)

    def __call__(self, propagated: Propagated, adapted: Adapted) -> Logits:
        """Returns the logits of all identities from the propagated map and :meth:`adapt`'s maps."""
        stride4, stride8, stride16 = adapted
        x = nn.relu(self.norm_in(self.conv_in(propagated)))
        x = nn.relu(self.norm_16(self.conv_16(stride16 + x)))
        x = nn.relu(self.norm_8(self.conv_8(stride8 + self._upsample(x, stride8))))
        x = nn.relu(self.norm_4(self.conv_4(stride4 + self._upsample(x, stride4))))
        return self.conv_out(x)

    def _upsample(self, x: Map, like: Array) -> Float[Array, "h2 w2 c"]:
        return resize_bilinear(x, (like.shape[0], like.shape[1]), align_corners=self.align_corners)
