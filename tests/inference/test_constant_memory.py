import functools
import gc
import math

import jax
import jax.numpy as jnp
import numpy as np
from mutation.watch import memory
from small_configs import vary

import mavos_jax
from mavos_jax.inference.geometry import Sizes, geometries, padded_size
from mavos_jax.inference.programs import segment_chunks, start_videos


def test_the_compiled_scan_needs_the_same_memory_for_any_number_of_frames(tiny, clip):
    model, variables = tiny
    frames, mask = clip
    views = geometries(model.config, Sizes(mask.shape, mask.shape))
    start = functools.partial(start_videos, model, variables, groups=1, identities=3)
    state = jax.eval_shape(start, views, frames[:1], mask[None])
    scalars = (jnp.int32(0), jnp.zeros(1, jnp.int32), jnp.int32(0))
    needs = []
    for length in (10, 100, 1000):
        chunk = jax.ShapeDtypeStruct((1, length, *padded_size(mask.shape), 3), jnp.uint8)
        inputs = model, variables, views, state, chunk, None, scalars
        lowered = segment_chunks.trace(*inputs, identities=3, logits_form="none").lower()
        found = lowered.compile().memory_analysis()
        assert found is not None
        pixels = length * math.prod(padded_size(mask.shape))
        fixed = found.argument_size_in_bytes - 3 * pixels, found.output_size_in_bytes - pixels
        needs.append((found.alias_size_in_bytes, found.temp_size_in_bytes, *fixed))
    assert needs[0] == needs[1] == needs[2]
    carry = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(state))
    assert needs[0][0] == carry  # the whole carry is updated in place


def test_a_long_stream_needs_no_more_than_a_short_one(tiny):
    """1,500 frames of 256 x 256: the same live arrays, and no growth of the process.

    Keeping every frame between the looks would cost 197 MB, every mask 66 MB.
    """
    model, variables = tiny
    model = mavos_jax.build_model(vary(model.config, inference={"max_long_edge": 32}))
    background = np.random.RandomState(0).randint(0, 255, (256, 600, 3)).astype(np.uint8)
    mask = np.zeros((256, 256), np.uint8)
    mask[64:192, 64:192] = 1

    def frames():
        for t in range(1500):
            left = t % (background.shape[1] - 256)
            yield background[:, left : left + 256].copy()

    live, resident = [], []
    masks = mavos_jax.stream_video(model, jax.device_put(variables), frames(), mask)
    for t, _ in enumerate(masks):
        if t in (500, 1000, 1499):
            gc.collect()
            live.append(sum(x.nbytes for x in jax.live_arrays()))
            resident.append(memory("VmRSS"))
    assert live[0] == live[1] == live[2]
    assert 0 < resident[2] < resident[0] + 2e7
