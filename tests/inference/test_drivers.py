import functools

import jax
import numpy as np
import pytest
from small_configs import vary

import mavos_jax
from mavos_jax.inference.geometry import Augmentation
from mavos_jax.inference.video import stream_masks

GAP = 3


@pytest.mark.newest
def test_scan_loop_and_stream_agree_bit_for_bit(segment, stream, tiny, clip):
    expected = segment(*clip, gap=GAP, return_logits=True)
    model, variables = tiny
    loop = model.clone(config=vary(model.config, inference={"chunk_frames": 1}))
    looped = mavos_jax.segment_video(loop, variables, *clip, gap=GAP, return_logits=True)
    jax.tree.map(np.testing.assert_array_equal, looped, expected)
    np.testing.assert_array_equal(list(stream(*clip, gap=GAP)), expected[0])
    assert len(np.unique(expected[0])) == 3


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
    np.testing.assert_array_equal(masks[at:], segment(frames[at:], masks[at], gap=GAP))
    streamed = stream_masks(model, variables, frames, mask, **options, chunk_frames=3)
    np.testing.assert_array_equal(masks, np.stack(list(streamed)))


def test_chunks_change_nothing(segment, stream_in_chunks, clip, late_label):
    labels = {6: late_label}
    whole = segment(*clip, labels=labels)
    chunked = list(stream_in_chunks(*clip, labels=labels, chunk_frames=5))
    np.testing.assert_array_equal(whole, np.stack(chunked))


@pytest.mark.parametrize(
    "views", [Augmentation(), pytest.param(Augmentation(flip=True), marks=pytest.mark.campaign)]
)
def test_soft_masks_are_those_that_the_masks_come_from(stream_in_chunks, clip, late_label, views):
    options = {"labels": {1: late_label}, "augmentation": views}
    frames, mask = clip[0][:5], clip[1]
    plain = list(stream_in_chunks(frames, mask, **options))
    found = []
    options |= {"on_judged": lambda *of_frame: found.append(of_frame), "soft_masks": True}
    masks = list(stream_in_chunks(frames, mask, **options))
    numbers, judged, soft = zip(*found, strict=True)
    assert numbers == (0, 1, 2, 3, 4)
    np.testing.assert_array_equal(masks, plain)
    assert [list(found) for found in soft] == [list(found) for found in judged]
    assert [len(found) for found in soft] == [2, 2, 13, 13, 13]
    assert all((soft[0][number] == 255 * (mask == number)).all() for number in (3, 8))
    for t in range(1, 5):
        values = np.stack([*soft[t].values()]).astype(int)
        rest = 255 - values.sum(axis=0)  # of the background and of slots that are not in use
        ids = np.array([0, *soft[t]])[np.concatenate([rest[None], values]).argmax(axis=0)]
        highest = np.sort([rest, *values], axis=0)
        is_clear = highest[-1] - highest[-2] > len(values) + 2
        is_clear &= (late_label == 0) | (t > 1)
        assert is_clear.mean() > 0.5
        np.testing.assert_array_equal(ids[is_clear], masks[t][is_clear])


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
