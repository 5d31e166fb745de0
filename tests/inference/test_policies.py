import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_configs import BANK, LSTT, MOBILENET, vary
from whole_maps import resize_cubic, resize_nearest

import mavos_jax
from mavos_jax.config import MemoryConfig
from mavos_jax.inference.frame import normalise
from mavos_jax.inference.geometry import Sizes, geometries, padded_size
from mavos_jax.inference.programs import label_frames, segment_chunks, start_videos
from mavos_jax.models.mavos import init_variables, variable_shapes
from mavos_jax.models.resize import network_size, resize_bilinear
from mavos_jax.training.clip import Clip, clip_loss

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


def kept(memory, reference, writes):
    frames = {
        "reference": [reference],
        "previous": [reference, *writes][-1:],
        "reference_previous": [reference, *writes[-1:]],
        "bank": [reference, *writes[-(CAPACITY - 1) :]],
        "mca": [*writes[-1:], reference],
    }[memory.policy]
    return jax.tree.map(lambda *x: jnp.concatenate(x), *frames)


def propagate(module, features, long_term, short_term):
    """Segments a frame; the long-term memory is plain tokens, all of which count."""
    size = features.size
    x, pending = module.elstt.propagate(features.tokens, long_term, short_term, None, size)
    return module.decode(x, features), pending


@functools.cache
def shared_parts():
    methods = (
        "encode",
        propagate,
        lambda module, x, mask: module.reference(x, module.identify(mask))[1],
        lambda module, x, mask: module.remember(x, module.identify(mask)),
    )
    apply, variables = build(BANK.memory).apply, shared_variables()
    parts = (jax.jit(functools.partial(apply, method=method)) for method in methods)
    return [functools.partial(part, variables) for part in parts]


def segment_with_lists(memory, frames, mask):
    """The masks and logits of two objects with ids 3 and 8."""
    model = build(memory)
    encode_image, segment, refer, remember = shared_parts()
    update = functools.partial(
        jax.jit(model.apply, static_argnames=("method", "size")),
        variables_of(model),
        method=lambda module, *args, size: module.memory_modulation(*args, size),
    )
    size = network_size(*mask.shape, align_corners=True, max_long_edge=1040)

    def encode(frame):
        return encode_image(normalise(resize_cubic(jnp.asarray(frame, jnp.float32), size)))

    def shrink(ids):
        return resize_nearest(jnp.asarray(np.searchsorted([0, 3, 8], ids)), size)

    reference = refer(encode(frames[0]), shrink(mask))
    short_term, writes, masks, all_logits = reference, [], [mask], []
    for t, frame in enumerate(frames[1:], start=1):
        features = encode(frame)
        long_term = kept(memory, reference, writes)
        logits, pending = segment(features, long_term, short_term)
        full = resize_bilinear(logits[..., :3], mask.shape, align_corners=True)
        masks.append(np.array([0, 3, 8], np.uint8)[np.asarray(full).argmax(-1)])
        all_logits.append(logits[..., :3])
        short_term = remember(pending, shrink(masks[-1]))
        if t % GAP == 0:
            new = short_term
            if memory.is_modulated and writes:
                new = update(new, writes[-1], size=features.size)
            writes.append(new)
    return np.stack(masks), np.stack(all_logits)


@pytest.mark.parametrize("name", MEMORIES)
@pytest.mark.campaign
def test_masks_are_those_of_a_driver_with_lists(clip, name):
    masks, logits = segment(MEMORIES[name], clip, gap=GAP)
    expected, expected_logits = segment_with_lists(MEMORIES[name], *clip)
    np.testing.assert_allclose(logits[..., :3], expected_logits, atol=2e-5)
    np.testing.assert_array_equal(masks, expected)


@pytest.mark.campaign
@pytest.mark.parametrize(
    ("name", "other", "same_frames"),
    [
        ("previous", "reference", GAP),
        ("reference_previous", "reference", GAP),
        ("bank", "reference", GAP),
        ("bank", "reference_previous", 2 * GAP),
    ],
)
def test_policies_differ_from_their_first_different_write_on(clip, name, other, same_frames):
    one, two = (segment(MEMORIES[x], clip, gap=GAP)[1][..., :3] for x in (name, other))
    distance = abs(one - two).max(axis=(1, 2, 3))
    assert (distance[:same_frames] < 1e-5).all()
    assert (distance[same_frames:] > 1e-4).all()


@pytest.mark.campaign
def test_reference_and_previous_are_a_bank_of_two_bit_for_bit(clip, late_label):
    options = {"gap": GAP, "labels": {5: late_label}}
    both = segment(MEMORIES["reference_previous"], clip, **options)
    bank = segment(MemoryConfig(policy="bank", capacity=2), clip, **options)
    jax.tree.map(np.testing.assert_array_equal, both, bank)


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


@pytest.mark.parametrize("name", ["cross_attention", "focal_modulation", "previous", "growing"])
@pytest.mark.campaign
def test_gradient_of_a_clip_has_the_form_of_the_weights(name):
    memory = {**MEMORIES, "growing": GROWING}[name]
    model = build(memory)
    variables = variable_shapes(model.config)
    frames, masks = jnp.zeros((5, 33, 33, 3), jnp.uint8), jnp.zeros((5, 33, 33), jnp.uint8)
    clip = Clip(frames, masks, jnp.int32(2))

    def loss(variables, clip):
        return clip_loss(model, variables, clip, jnp.int32(0), None)[0]

    assert jax.eval_shape(jax.grad(loss), variables, clip) == variables


@pytest.fixture(scope="module")
def long_clip(clip):
    frames, mask = clip
    return np.concatenate([frames, frames[::-1], frames]), mask


def test_growing_bank_equals_the_fixed_bank_and_compiles_a_program_per_size(
    long_clip, count_compilations
):
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


def growing_and_fixed(capacity, clip, rounding=ROUNDING, **options):
    """The logits of a bank that grows, whose masks are those of one that does not."""
    growing = vary(GROWING, capacity=capacity)
    masks, logits = segment(growing, clip, **options)
    expected = segment(vary(growing, grows=False), clip, **options)
    np.testing.assert_array_equal(masks, expected[0])
    np.testing.assert_allclose(logits, expected[1], atol=rounding)
    return logits


@pytest.mark.campaign
def test_growing_bank_drops_the_oldest_once_it_is_full(long_clip):
    logits = growing_and_fixed(6, long_clip, gap=GAP)
    _, unbounded = segment(vary(GROWING, grows=False), long_clip, gap=GAP)
    assert abs(logits - unbounded)[2 * 6 * GAP :].max() > 1e-4


@pytest.mark.campaign
def test_growing_bank_registers_new_groups_and_references(clip, late_label):
    options = {"labels": {4: late_label}, "gap": 1, "chunk_frames": 2}
    growing_and_fixed(8, clip, 10 * ROUNDING, **options)  # merged groups
