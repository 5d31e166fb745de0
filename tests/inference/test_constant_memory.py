"""Nothing grows with the video: not the program, not the device, not the host."""

import gc
import resource
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from mavos_jax.inference.chunk import segment_chunk, start_video


def resident_bytes():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def test_the_compiled_scan_needs_the_same_memory_for_any_number_of_frames(tiny, clip):
    model, variables = tiny
    frames, mask = clip
    state = jax.eval_shape(
        lambda: start_video(model, variables, frames[0], mask, groups=1, identities=3)
    )
    scalars = (jnp.int32(0),) * 3
    needs = []
    for length in (10, 100, 1000):
        chunk = jax.ShapeDtypeStruct((length, *frames.shape[1:]), jnp.uint8)
        lowered = segment_chunk.lower(
            model, variables, state, chunk, None, scalars, identities=3, logits_form="none"
        )
        analysis = lowered.compile().memory_analysis()
        assert analysis is not None
        pixels = length * frames[0, ..., 0].size
        fixed = (
            analysis.argument_size_in_bytes - 3 * pixels,
            analysis.output_size_in_bytes - pixels,
        )
        needs.append((analysis.temp_size_in_bytes, analysis.alias_size_in_bytes, *fixed))
    assert needs[0] == needs[1] == needs[2]
    carry = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(state))
    assert needs[0][1] == carry  # the whole carry is updated in place


def test_a_long_stream_needs_no_more_than_a_short_one(stream):
    """3,000 frames: the same live arrays, and no growth of the process."""
    random = np.random.RandomState(0)
    background = random.randint(0, 255, (33, 200, 3)).astype(np.uint8)
    mask = np.zeros((33, 33), np.uint8)
    mask[8:24, 8:24] = 1

    def frames():
        for t in range(3000):
            left = t % (background.shape[1] - 33)
            yield background[:, left : left + 33].copy()

    live, resident = [], []
    for t, _ in enumerate(stream(frames(), mask)):
        if t in (500, 1500, 2999):
            gc.collect()
            live.append(sum(x.nbytes for x in jax.live_arrays()))
            resident.append(resident_bytes())
    assert live[0] == live[1] == live[2]
    assert resident[2] - resident[0] < 8e6
