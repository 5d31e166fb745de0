import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_configs import vary

import mavos_jax
from mavos_jax.inference.frame import Network, advance_frame, encode_frame, start_frame
from mavos_jax.inference.geometry import Sizes, geometries
from mavos_jax.inference.objects import ObjectIds
from mavos_jax.inference.video import stream_masks

GAP = 3


def loop_over_frames(model, variables, frames, mask, *, identities):
    """The transition in a Python loop, one compiled call a frame."""
    views = geometries(model.config, Sizes(mask.shape, mask.shape))

    # The geometry is an argument as in the drivers: XLA folds constant resizing weights into other
    # sums, which round differently.
    @jax.jit
    def advance(variables, views, state, frame):
        network = Network(model, variables, views)
        features = encode_frame(network, frame)
        return advance_frame(
            *(network, state, features, None, (jnp.int32(2), jnp.int32(GAP))),
            identities=identities,
            logits_form="stride4",
        )

    ids = ObjectIds()
    slots = ids.add(mask, "mask")

    @jax.jit
    def start(variables, views, frame, slots):
        network = Network(model, variables, views)
        return start_frame(network, frame, slots, groups=1, identities=identities)

    state = start(variables, views, frames[0], slots)
    masks, logits = [mask], []
    for frame in frames[1:]:
        state, (slots, frame_logits) = advance(variables, views, state, frame)
        masks.append(ids.to_ids(np.asarray(slots)[: mask.shape[0], : mask.shape[1]]))
        logits.append(np.asarray(frame_logits))
    return np.stack(masks), np.stack(logits)


@pytest.mark.newest
def test_scan_loop_and_stream_agree_bit_for_bit(segment, stream, tiny, clip):
    masks, logits = segment(*clip, gap=GAP, return_logits=True)
    looped, looped_logits = loop_over_frames(*tiny, *clip, identities=3)
    np.testing.assert_array_equal(masks, looped)
    np.testing.assert_array_equal(logits, looped_logits)
    streamed = np.stack(list(stream(*clip, gap=GAP)))
    np.testing.assert_array_equal(masks, streamed)
    assert len(np.unique(masks)) == 3


def test_a_label_can_begin_the_memory_again(segment, tiny, clip):
    frames, mask = clip
    label = np.zeros_like(mask)
    label[2:12, 40:60] = 9
    model, variables = tiny
    model = model.clone(config=vary(model.config, memory={"on_label": "restart"}))
    at = 5
    options = {"labels": {at: label}, "gap": GAP}
    masks = mavos_jax.segment_video(model, variables, frames, mask, **options)
    fused = segment(frames, mask, **options)
    np.testing.assert_array_equal(masks[: at + 1], fused[: at + 1])
    assert (masks[at + 1 :] != fused[at + 1 :]).any()
    assert set(np.unique(masks[at])) == {0, 3, 8, 9}
    # What follows is a video that starts with the labelled frame.
    rest = segment(frames[at:], masks[at], gap=GAP)
    np.testing.assert_array_equal(masks[at:], rest)
    streamed = stream_masks(model, variables, frames, mask, **options, chunk_frames=3)
    np.testing.assert_array_equal(masks, np.stack(list(streamed)))


@pytest.mark.parametrize(
    "chunk_frames",
    [pytest.param(1, marks=pytest.mark.campaign), 5, pytest.param(20, marks=pytest.mark.campaign)],
)
def test_chunks_change_nothing(segment, stream_in_chunks, clip, late_label, chunk_frames):
    labels = {6: late_label}
    whole = segment(*clip, labels=labels)
    chunked = list(stream_in_chunks(*clip, labels=labels, chunk_frames=chunk_frames))
    np.testing.assert_array_equal(whole, np.stack(chunked))


def test_frames_that_fill_a_chunk_change_nothing(tiny, segment, clip, late_label):
    """As on a GPU, whose short chunks go on to their end: before a label, and last."""
    model, variables = tiny
    backend = dataclasses.replace(model.backend, short_chunk="discards")
    filled = model.clone(backend=backend)
    labels = {6: late_label}
    expected = segment(*clip, labels=labels, gap=GAP)
    found = mavos_jax.segment_video(filled, variables, *clip, labels=labels, gap=GAP)
    np.testing.assert_array_equal(found, expected)


def test_a_stream_gives_each_mask_before_it_pulls_the_next_frame(stream, clip):
    frames, mask = clip
    pulled = []

    def source():
        for t, frame in enumerate(frames):
            pulled.append(t)
            yield frame

    for t, _ in enumerate(stream(source(), mask)):
        assert pulled == list(range(t + 1))


def test_frames_may_be_a_memory_map_or_a_lazy_sequence(segment, clip, tmp_path):
    frames, mask = clip
    np.save(tmp_path / "frames.npy", frames)
    expected = segment(frames, mask)
    mapped = np.load(tmp_path / "frames.npy", mmap_mode="r")
    np.testing.assert_array_equal(segment(mapped, mask), expected)
    np.testing.assert_array_equal(segment(list(frames), mask), expected)


def test_one_compilation_whatever_the_length_and_the_tail(tiny, clip, count_compilations):
    frames, mask = clip
    model, variables = tiny
    run = functools.partial(mavos_jax.segment_video, model, jax.device_put(variables), mask=mask)
    run(frames=frames)
    with count_compilations() as count:
        for length in (1, 2, 5, 9, 12):
            run(frames=frames[:length])
        run(frames=np.concatenate([frames, frames]), gap=2)
        run(frames=frames[:6], num_objects=8, mask=(mask > 0).astype(np.uint8), gap=7)
    assert count.compilations == 2  # eight slots are another channel bucket: start and chunk


def test_one_compilation_per_group_count(segment, clip, late_label, count_compilations):
    frames, mask = clip
    segment(frames, mask, labels={3: late_label})
    with count_compilations() as count:
        segment(frames, mask, labels={9: late_label})
    assert count.compilations == 0


def test_finished_masks_come_before_the_error_of_a_broken_source(segment, stream_in_chunks, clip):
    frames, mask = clip

    def source():
        yield from frames[:10]
        raise OSError("the tape is torn")

    masks = stream_in_chunks(source(), mask)
    got = [next(masks) for _ in range(10)]
    with pytest.raises(OSError, match="torn"):
        next(masks)
    expected = segment(frames[:10], mask)
    np.testing.assert_array_equal(np.stack(got), expected)
