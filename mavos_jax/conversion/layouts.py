"""How PyTorch and Flax hold a layer: the order of each tensor's axes, and the kinds of layers."""

import enum
from collections.abc import Iterable, Iterator

import numpy as np


class Layout(enum.Enum):
    """The order of a PyTorch tensor's axes in Flax, and how many axes of length 1 Flax lacks."""

    # o output channels, i input channels, c channels, k rows and columns of a kernel
    SAME = (), 0
    LINEAR = (1, 0), 0  # [o, i] <-> [i, o]
    POINTWISE = (2, 3, 1, 0), 2  # [o, i, 1, 1] <-> [i, o]
    CONV = (2, 3, 1, 0), 0  # [o, i, k, k] <-> [k, k, i, o]
    DEPTHWISE = (1, 2, 3, 0), 1  # [c, 1, k, k] <-> [k, k, c]

    def to_flax(self, x: np.ndarray) -> np.ndarray:
        """Returns a view of a PyTorch tensor of this layout with Flax's axes."""
        order, num_lacking = self.value
        return x.transpose(order)[(0,) * num_lacking] if order else x

    def to_torch(self, x: np.ndarray) -> np.ndarray:
        """Returns a view of a Flax array with PyTorch's axes: the inverse of :meth:`to_flax`."""
        order, num_lacking = self.value
        return x[(None,) * num_lacking].transpose(np.argsort(order)) if order else x

    def torch_shape(self, flax_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Returns the PyTorch shape of an array of shape ``flax_shape``; allocates nothing."""
        return self.to_torch(np.broadcast_to(np.float32(0), flax_shape)).shape


Kind = tuple[tuple[str, str, str, Layout], ...]
"""The tensors of a kind of layer: PyTorch leaf, Flax collection, Flax leaf, layout."""

_BIAS = ("bias", "params", "bias", Layout.SAME)


def _kernel(layout: Layout) -> Kind:
    return (("weight", "params", "kernel", layout),)


LINEAR: Kind = (*_kernel(Layout.LINEAR), _BIAS)
LINEAR_NO_BIAS: Kind = _kernel(Layout.LINEAR)
POINTWISE: Kind = (*_kernel(Layout.POINTWISE), _BIAS)
POINTWISE_NO_BIAS: Kind = _kernel(Layout.POINTWISE)
CONV: Kind = (*_kernel(Layout.CONV), _BIAS)
CONV_NO_BIAS: Kind = _kernel(Layout.CONV)
DEPTHWISE: Kind = _kernel(Layout.DEPTHWISE)
NORM: Kind = (("weight", "params", "scale", Layout.SAME), _BIAS)
BATCH_NORM: Kind = (
    ("weight", "constants", "scale", Layout.SAME),
    ("bias", "constants", "offset", Layout.SAME),
    ("running_mean", "constants", "mean", Layout.SAME),
    ("running_var", "constants", "variance", Layout.SAME),
)
POSITION_TABLE: Kind = (
    ("relative_position_bias_table", "params", "relative_position_bias", Layout.SAME),
)
MASK_TOKEN: Kind = (("mask_token", "constants", "mask_token", Layout.SAME),)
RELATIVE_VALUE: Kind = (("relative_emb_v", "params", "relative_value", Layout.SAME),)

Row = tuple[str, str, Kind]
"""PyTorch module, Flax module, kind; names relative to what a group of rows belongs to."""


def under(torch: str, flax: str, rows: Iterable[Row]) -> Iterator[Row]:
    """Yields ``rows`` with the names of the modules that hold them in front."""
    for torch_module, flax_module, kind in rows:
        yield f"{torch}.{torch_module}", f"{flax}/{flax_module}", kind
