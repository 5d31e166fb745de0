import jax
import numpy as np
import pytest
from refusals import refuse

import mavos_jax
from mavos_jax.inference.state import init_program
from mavos_jax.runtime import devices

GAP = 3


@pytest.fixture
def live(tiny, clip):
    frames, mask = clip
    live = mavos_jax.VideoSegmenter(*tiny, gap=GAP, history=3)
    live.start(frames[0], mask)
    return live


@pytest.mark.newest
def test_what_comes_live_is_what_a_stream_is_given(live, stream, clip, late_label):
    """Also by a mapping of labels that grows while the stream runs."""
    frames, mask = clip
    correction = np.zeros_like(mask)
    correction[5:20, 20:40] = 3
    late = {4: correction, 7: np.where(late_label == 20, late_label, 0)}
    labels, masks = {}, []
    for t, found in enumerate(stream(*clip, gap=GAP, labels=labels)):
        if t:
            live.step(frames[t])
        if t in late:
            (live.correct if t == 4 else live.add)(late[t])
        if t + 1 in late:
            labels[t + 1] = late[t + 1]
        masks.append(live._latest.result.mask if t else mask)
        np.testing.assert_array_equal(found, masks[-1])
    assert 20 in masks[7]


def test_a_label_after_its_frame_is_an_error(stream, clip):
    labels = {}
    masks = stream(*clip, gap=GAP, labels=labels)
    next(masks)
    next(masks)
    labels[1] = clip[1]
    refuse(r"^labels: expected .* before its frame is read, .* \[1\]$", list, masks)


def test_corrections_of_a_frame_follow_each_other_and_are_taken_back(live, clip):
    frames, mask = clip
    result = live.step(frames[1])
    first = live.correct(np.where(mask == 3, 3, 0).astype(np.uint8))
    both = live.correct(np.where(mask == 8, 8, 0).astype(np.uint8))
    assert (both.mask[mask > 0] == mask[mask > 0]).all()
    assert both.present == {3: True, 8: True}
    np.testing.assert_array_equal(live.undo().mask, first.mask)
    np.testing.assert_array_equal(live.undo().mask, result.mask)
    np.testing.assert_array_equal(live.undo().mask, mask)
    refuse(r"^undo: .* none in the history$", live.undo)


def test_what_corrections_took_stays_taken(live, clip):
    found = live.step(clip[0][1]).mask
    taken = (found == 8) & (np.indices(found.shape)[1] % 2 == 0)
    assert taken.any()
    live.correct(np.where(taken, 3, 0).astype(np.uint8))
    result = live.correct(np.where((found == 8) & ~taken, 3, 0).astype(np.uint8))
    assert not (result.mask == 8).any()
    assert not result.present[8]
    live.undo()
    live.remove(8)
    live.correct(np.where(found == 3, 8, 0).astype(np.uint8))  # shown again, and covered again
    live.correct(np.where(found == 3, 3, 0).astype(np.uint8))
    assert bool(live.state.shown[1])


def test_a_first_mask_is_corrected_and_objects_are_removed(live, tiny, clip):
    frames, mask = clip
    label = np.zeros_like(mask)
    label[:8, :8] = 5
    refuse(r"among \[3, 8\], found \[5\]; add ", live.correct, label)
    with pytest.raises(ValueError, match=r"^mask: expected ids in 1\.\.254 .* found 300\.\.300"):
        live.add(np.full(mask.shape, 300))
    live.add(label)
    live.step(frames[1])
    live.add(np.where(label > 0, 9, 0))
    assert 9 not in live.remove([5, 9]).mask
    for _ in range(3):
        live.undo()
    other = mavos_jax.VideoSegmenter(*tiny, gap=GAP)
    other.start(frames[0], np.where(label > 0, label, mask))
    np.testing.assert_array_equal(live.step(frames[1]).mask, other.step(frames[1]).mask)
    gone = live.remove([3, 8])
    assert set(np.unique(gone.mask)) <= {0, 5}
    assert not gone.present[3]
    assert set(np.unique(live.step(frames[2]).mask)) <= {0, 5}
    refuse("start", lambda: mavos_jax.VideoSegmenter(*tiny).state)


def test_what_the_caller_changes_later_changes_nothing(live, clip):
    frames, mask = clip
    label = np.where(mask == 3, 3, 0).astype(np.uint8)
    live.step(frames[1])
    expected = live.correct(label)
    first, frame = mask.copy(), frames[1].copy()
    live.start(frames[0], first)
    live.step(frame)
    first[:], frame[:] = 0, 0
    with pytest.raises(ValueError, match="read-only"):
        live.correct(label).mask[:] = 0
    live.undo()
    np.testing.assert_array_equal(live.correct(label).mask, expected.mask)
    live.undo()
    np.testing.assert_array_equal(live.undo().mask, mask)


def test_what_a_trace_encloses_is_a_part_of_its_program(tiny, clip, monkeypatch):
    # In place of a GPU's; JAX refuses them for a program inside another.
    monkeypatch.setattr(devices, "graph_options", lambda _: {"xla_embed_ir_in_executable": True})
    monkeypatch.delitem(init_program.__dict__, "jitted", raising=False)
    (model, variables), (frames, mask) = tiny, clip

    def begin():
        return mavos_jax.init_state(model, variables, frames[0], mask, gap=GAP)

    traced = jax.eval_shape(begin)
    monkeypatch.undo()
    found, expected = (jax.tree.map(lambda x: (x.shape, x.dtype), y) for y in (traced, begin()))
    assert found == expected


def test_logits_of_many_objects_have_no_padding(tiny, clip):
    (model, variables), (frames, mask) = tiny, clip
    start = mavos_jax.init_state(model, variables, frames[0], mask, num_objects=13)
    _, output = mavos_jax.step(model, variables, start, frames[1], return_logits=True)
    assert np.asarray(output.logits).shape[:2] == (13, 17)  # a quarter of 50 x 66, rounded up


@pytest.mark.parametrize("function", [mavos_jax.correct, mavos_jax.add_objects])
def test_a_boolean_mask_shows_object_1(tiny, clip, function):
    (model, variables), (frames, mask) = tiny, clip
    start = mavos_jax.init_state(model, variables, frames[0], mask > 0, gap=GAP)
    _, found = function(*tiny, start, frames[1], mask > 0)
    _, expected = function(*tiny, start, frames[1], (mask > 0).astype(np.uint8))
    np.testing.assert_array_equal(found.mask, expected.mask)
    assert (np.asarray(found.mask)[mask > 0] == 1).all()
