"""The identification mechanism, PyTorch's ``patch_wise_id_bank``: a mask becomes tokens."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from mavos_jax.axes import Mask
from mavos_jax.config import NUM_IDENTITIES
from mavos_jax.models.backend import Backend
from mavos_jax.models.layers import convolution, layer_norm

STRIDE = 16


class Identification(nn.Module):
    """A strided convolution of the one-hot mask, then layer normalisation, which AOT-L lacks."""

    dim: int
    align_corners: bool
    backend: Backend
    is_normalised: bool = True

    @nn.compact
    def __call__(self, mask: Mask, num_identities: int = NUM_IDENTITIES) -> Float[Array, "n d"]:
        """Returns the embedding [n, D] of a mask at network size.

        A pixel of 255 belongs to no identity, not even the background. ``num_identities`` is the
        number of channels that the mask can hold, background included; fewer cost less.
        """
        # For maps of 16 n + 1 pixels 17x17 with padding 8, else 16x16 without.
        size = STRIDE + 1 if self.align_corners else STRIDE
        padding = STRIDE // 2 if self.align_corners else 0
        shape = (size, size, NUM_IDENTITIES, self.dim)
        bank = self.param("kernel", nn.initializers.orthogonal(), shape)
        bias = self.param("bias", nn.initializers.zeros, (self.dim,))
        dtype = self.backend.dtype or bank.dtype
        one_hot = jax.nn.one_hot(mask, num_identities, dtype=dtype)
        embedding = convolution(self.backend)(
            one_hot[None],
            bank[:, :, :num_identities].astype(dtype),
            window_strides=(STRIDE, STRIDE),
            padding=((padding, padding), (padding, padding)),
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        tokens = jnp.reshape(embedding, (-1, self.dim)) + bias
        return layer_norm("norm")(tokens) if self.is_normalised else tokens
