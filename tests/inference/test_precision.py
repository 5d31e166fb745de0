import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_configs import vary

import mavos_jax
from mavos_jax.inference.geometry import Sizes, geometries
from mavos_jax.inference.programs import start_videos


@pytest.fixture
def half(tiny):
    return mavos_jax.build_model(vary(tiny[0].config, inference={"precision": "bfloat16"}))


def test_masks_hardly_change_and_logits_stay_float32(tiny, segment, half, clip):
    masks, logits = segment(*clip, return_logits=True)
    found, rough = mavos_jax.segment_video(half, tiny[1], *clip, return_logits=True)
    assert rough.dtype == np.float32
    in_use = logits > -1e9
    assert 0 < np.abs(logits - rough)[in_use].max() < 0.05 * np.abs(logits[in_use]).max()
    # With fresh weights many pixels are nearly tied; trained ones agree on far more.
    assert (found == masks).mean() > 0.95


def test_the_memory_takes_half_the_room(tiny, half, clip):
    model, variables = tiny
    frames, mask = clip
    views = geometries(model.config, Sizes(mask.shape, mask.shape))

    def size(model):
        start = functools.partial(start_videos, model, groups=1, identities=3)
        state = jax.eval_shape(start, variables, views, frames[:1], mask[None])
        leaves = [x for x in jax.tree.leaves(state) if jnp.issubdtype(x.dtype, jnp.floating)]
        return sum(x.size * x.dtype.itemsize for x in leaves)

    assert size(half) == size(model) / 2
