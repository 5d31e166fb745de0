"""Constants of batch normalisation for encoders that start from fresh weights."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, UInt8

from mavos_jax.inference.frame import normalise
from mavos_jax.models.layers import CONSTANTS
from mavos_jax.models.mavos import MAVOS, Variables


def calibrate(model: MAVOS, variables: Variables, frames: UInt8[Array, "t h1 w1 3"]) -> Variables:
    """Sets the constants so that every normalised channel has mean 0 and variance 1 on frames.

    Frozen batch normalisation with constants of 0 and 1 normalises nothing, and a deep encoder
    with fresh weights then hardly learns. One pass sets them from the first layer to the last;
    afterwards they stay as they are. PyTorch's recipe has no such step: it starts from ImageNet.

    Args:
      model: the network.
      variables: fresh variables; the parameters are not changed.
      frames: RGB at network size.
    """
    # One tall image: the statistics are then those of all frames.
    image = normalise(frames.astype(jnp.float32).reshape(-1, *frames.shape[2:]))

    @jax.jit
    def run(variables: Variables, image: Array) -> Variables:
        _, changed = model.apply(variables, image, method="encode", mutable=[CONSTANTS])
        return dict(changed)

    return {**variables, **run(variables, image)}
