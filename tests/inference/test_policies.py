import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_configs import BANK, LSTT, MOBILENET, vary

import mavos_jax
from mavos_jax.config import MemoryConfig
from mavos_jax.inference.geometry import Sizes, geometries, padded_size
from mavos_jax.inference.programs import label_frames, segment_chunks, start_videos
from mavos_jax.models.mavos import init_variables, variable_shapes

GAP = 2
CAPACITY = 4
MEMORIES = {
    "mca": MOBILENET.memory,
    "cross_attention": vary(MOBILENET.memory, write="cross_attention"),
    "focal_modulation": vary(MOBILENET.memory, write="focal_modulation"),
    "reference": MemoryConfig(policy="reference"),
    "previous": MemoryConfig(policy="previous"),
    "reference_previous": MemoryConfig(policy="reference_previous"),
    "bank": MemoryConfig(policy="bank", capacity=CAPACITY),
}
GROWING = MemoryConfig(policy="bank", capacity=16, grows=True)

ROUNDING = 1e-5
"""Largest difference between logits of two banks: sums over more places round otherwise."""


def build(memory, chunk_frames=4):
    inference = {"chunk_frames": chunk_frames}
    return mavos_jax.build_model(vary(MOBILENET, memory=memory, inference=inference))


@functools.cache
def shared_variables():
    return init_variables(build(BANK.memory))


def variables_of(model):
    """The shared variables, with random weights of the memory where it has some."""
    shared, random = shared_variables(), np.random.RandomState(0)
    shapes = variable_shapes(model.config)["params"]
    added = jax.tree.map(
        lambda x: jnp.asarray(0.2 * random.randn(*x.shape), jnp.float32),
        {name: part for name, part in shapes.items() if name not in shared["params"]},
    )
    return {**shared, "params": shared["params"] | added}


def segment(memory, clip, chunk_frames=4, **options):
    model = build(memory, chunk_frames)
    video = (model, variables_of(model), *clip)
    return mavos_jax.segment_video(*video, return_logits=True, **options)


CARRIES = [
    *((MOBILENET, name) for name in MEMORIES),
    (LSTT, "previous"),
    (LSTT, "reference_previous"),
]


@pytest.mark.parametrize("on_label", ["fuse", "restart"])
@pytest.mark.parametrize(
    ("config", "name"), CARRIES, ids=lambda x: x if isinstance(x, str) else x.name
)
def test_carry_is_fixed_from_frame_0_on(config, name, on_label):
    memory = vary(MEMORIES[name], on_label=on_label)
    model = mavos_jax.build_model(vary(config, memory=memory))
    views = geometries(model.config, Sizes((50, 66), (50, 66)))
    variables, padded = variable_shapes(model.config), padded_size((50, 66))
    frames = jax.ShapeDtypeStruct((1, 3, *padded, 3), jnp.uint8)
    first = jax.ShapeDtypeStruct((1, *padded, 3), jnp.uint8)
    slots = jax.ShapeDtypeStruct((1, *padded), jnp.uint8)
    zero, zeros = jnp.int32(0), jnp.zeros(1, jnp.int32)

    def shapes(program, *inputs, **kind):
        return jax.eval_shape(functools.partial(program, model, **kind), variables, views, *inputs)

    before = shapes(start_videos, first, slots, groups=2, identities=11)
    inputs, kind = (frames, None, (zero, zeros, zero)), {"logits_form": "none"}
    assert before == shapes(segment_chunks, before, *inputs, identities=11, **kind)[0]
    inputs, kind = (first, (slots, None), zeros), kind | {"groups": 2}
    assert before == shapes(label_frames, before, *inputs, identities=(11, 11), **kind)[0]
    (memory,) = before.memories
    held = memory.long_term[0].key.shape[2] // memory.short_term[0].key.shape[2]
    assert held == {"reference": 1, "previous": 1, "bank": CAPACITY}.get(name, 2)


def test_growing_bank_equals_the_fixed_bank_and_compiles_a_program_per_size(
    clip, count_compilations
):
    frames, mask = clip
    long_clip = np.concatenate([frames, frames[::-1], frames]), mask
    expected = segment(vary(GROWING, grows=False), long_clip, chunk_frames=2, gap=GAP)
    with count_compilations() as count:
        masks, logits = segment(GROWING, long_clip, chunk_frames=2, gap=GAP)
    np.testing.assert_array_equal(masks, expected[0])
    np.testing.assert_allclose(logits, expected[1], atol=ROUNDING)
    # Room for 4, 8 and 16 frames: the first frame, three chunks, twice more room.
    assert count.compilations == 1 + 3 + 2
    with count_compilations() as count:
        segment(GROWING, long_clip, chunk_frames=2, gap=GAP)
    assert count.compilations == 0


@pytest.mark.campaign
def test_growing_bank_registers_new_groups_and_references(clip, late_label):
    options = {"labels": {4: late_label}, "gap": 1, "chunk_frames": 2}
    growing = vary(GROWING, capacity=8)
    masks, logits = segment(growing, clip, **options)
    expected = segment(vary(growing, grows=False), clip, **options)
    np.testing.assert_array_equal(masks, expected[0])
    np.testing.assert_allclose(logits, expected[1], atol=10 * ROUNDING)  # merged groups
