"""How each costly operation is computed: in small parts on a CPU, few and large ones on a GPU."""

import dataclasses
from typing import Any, Literal

import jax.numpy as jnp
from jax.typing import DTypeLike

Mapping = Literal["sequential", "batched"]
Softmax = Literal["before", "after"]
ConvGradient = Literal["xla", "products"]


@dataclasses.dataclass(frozen=True)
class Backend:
    """The choices of one build of the model; :func:`backend_for` makes them."""

    # Side, in tokens, of the query tiles of short-term propagation, or ``None`` for one tile that
    # covers the map (dense attention with a banded mask).
    short_term_tile: int | None
    heads: Mapping  # whether attention heads run one after the other or as one batch
    groups: Mapping  # whether groups of objects run one after the other or as one batch
    # The operands' type in products and convolutions; all else is float32.
    compute: Literal["float32", "bfloat16"] = "float32"
    # Whether the frames of a chunk are encoded one by one, each before it is propagated, or all
    # together before the first.
    encoder: Literal["frame", "chunk"] = "frame"
    # Whether the loop over a chunk that is not full ``stops`` early, for which the host waits for
    # the device, or runs on and ``discards`` the surplus frames.
    short_chunk: Literal["stops", "discards"] = "stops"
    # Whether attention divides by the sum of its weights ``before`` the product with the values, so
    # that a softmax is one kernel, or ``after`` it, where there is less to divide.
    softmax: Softmax = "after"
    # How many attention scores of a group are in memory at once; ``None``: no limit.
    most_scores: int | None = None
    # Whether a linear layer of two maps side by side joins them by a ``copy``, or sums their
    # ``products``.
    joins: Literal["copy", "products"] = "copy"
    # Whether modules of one shape, such as the outputs of long- and short-term propagation, run one
    # after the other or as one batch.
    twins: Mapping = "sequential"
    # Whether group normalisation sums over ``groups`` at once, or ``channels`` first.
    group_norm: Literal["groups", "channels"] = "groups"
    # Whether the gradient of a convolution's kernel is XLA's own, and one reduction over all taps
    # of a depthwise one, or a matrix product over patches, and a loop over taps.
    conv_gradient: ConvGradient = "xla"

    def attention(self, num_heads: int = 1) -> dict[str, Any]:
        """Returns the options of a head's attention."""
        most = None if self.most_scores is None else self.most_scores // num_heads
        return {"softmax": self.softmax, "most_scores": most}

    @property
    def dtype(self) -> DTypeLike | None:
        """What products and convolutions cast their operands to; ``None`` for no cast."""
        return None if self.compute == "float32" else jnp.bfloat16


_CPU = Backend(
    short_term_tile=11, heads="sequential", groups="sequential", conv_gradient="products"
)
_ACCELERATOR = Backend(
    short_term_tile=None,
    heads="batched",
    groups="batched",
    encoder="chunk",
    short_chunk="discards",
    softmax="before",
    most_scores=2**24,
    joins="products",
    twins="batched",
    group_norm="channels",
)


def backend_for(platform: str, precision: str = "float32") -> Backend:
    """Returns the choices for a JAX platform: ``cpu``, ``gpu`` (``cuda``, ``rocm``) or ``tpu``."""
    backend = _CPU if platform == "cpu" else _ACCELERATOR
    is_half = precision == "bfloat16"
    return dataclasses.replace(backend, compute="bfloat16" if is_half else "float32")
