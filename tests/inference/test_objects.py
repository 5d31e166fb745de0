import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import refuse

import mavos_jax
from mavos_jax.inference.objects import (
    ObjectIds,
    mask_unused,
    merged_logits,
    num_groups,
    num_identities,
    predict_slots,
    split_groups,
)
from mavos_jax.models.backend import backend_for
from mavos_jax.models.resize import linear_taps


def test_ids_get_slots_in_order_of_appearance_and_come_back():
    ids = ObjectIds()
    first = np.array([[9, 0], [4, 255]], np.uint8)
    np.testing.assert_array_equal(ids.add(first, "mask"), [[2, 0], [1, 255]])
    later = np.array([[3, 9], [200, 0]], np.int64)
    np.testing.assert_array_equal(ids.add(later, "label"), [[3, 2], [4, 0]])
    assert ids.num_objects == 4
    np.testing.assert_array_equal(
        ids.to_ids(np.array([1, 2, 3, 4, 0, 255])), [4, 9, 3, 200, 0, 255]
    )


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.uint16])
def test_masks_of_any_integer_type(dtype):
    mask = np.array([[1, 0], [0, 1]], dtype)
    np.testing.assert_array_equal(ObjectIds().add(mask, "mask"), [[1, 0], [0, 1]])


def test_a_number_of_objects_fixes_the_slots():
    ids, mask = ObjectIds(5), np.array([[4, 0, 2]])
    assert ids.num_objects == 5
    np.testing.assert_array_equal(ids.add(mask, "mask"), mask)


def test_masks_that_hold_no_ids():
    refuse("mask: expected ids in 1..254", ObjectIds().add, np.array([[-1]]), "mask")
    refuse("mask: expected integer ids, found float64", ObjectIds().add, np.array([[0.5]]), "mask")


@pytest.mark.parametrize(
    ("objects", "groups", "identities"),
    [(1, 1, 3), (2, 1, 3), (3, 1, 6), (5, 1, 6), (6, 1, 11), (10, 1, 11), (11, 2, 11), (44, 5, 11)],
)
def test_groups_and_buckets(objects, groups, identities):
    assert num_groups(objects) == groups
    assert num_identities(objects) == identities


def test_a_group_sees_the_others_as_background_and_ignores_what_is_ignored():
    mask = jnp.array([[0, 1, 10], [11, 23, 255]])
    expected = [[[0, 1, 10], [0, 0, 255]], [[0, 0, 0], [1, 0, 255]], [[0, 0, 0], [0, 3, 255]]]
    np.testing.assert_array_equal(split_groups(mask, 3), expected)


@pytest.mark.parametrize("groups", ["sequential", "batched"])
def test_merged_masks_are_the_argmax_of_the_merged_logits(groups):
    logits = jax.random.normal(jax.random.PRNGKey(0), (3, 5, 7, 11)) * 3
    logits = mask_unused(logits, jnp.int32(24))
    size = (17, 25)
    output = linear_taps(5, 17, align_corners=True), linear_taps(7, 25, align_corners=True)
    slots = predict_slots(logits, output, channels=11, groups=groups)
    merged = merged_logits(logits, output)
    assert merged.shape == (*size, 31)
    np.testing.assert_array_equal(slots, merged.argmax(axis=-1))
    assert slots.max() <= 24
    assert len(np.unique(slots)) > 10


def test_the_names_of_ids_do_not_matter(segment, clip):
    frames, mask = clip
    names = np.zeros(256, np.uint8)
    names[[3, 8]] = [77, 200]
    np.testing.assert_array_equal(segment(frames, names[mask]), names[segment(frames, mask)])


def test_groups_are_alike(segment, clip):
    """Swapping ids between groups, each id keeping its place in its group, swaps the masks."""
    frames, mask = clip
    names = np.arange(256, dtype=np.uint8)
    names[1:21] = np.roll(names[1:21], 10)
    swapped = segment(frames, names[mask], num_objects=20)
    np.testing.assert_array_equal(swapped, names[segment(frames, mask, num_objects=20)])


def test_a_label_of_a_known_object_replaces_its_pixels(segment, stream, clip, late_label):
    frames, mask = clip
    plain = segment(frames, mask)
    assert (plain[5] == 3).any()
    label = late_label.copy()
    label[2:12, 40:60] = 3
    label[40, 60:] = 255
    masks = segment(frames, mask, labels={5: label})
    np.testing.assert_array_equal(masks[:5], plain[:5])
    kept = np.where(plain[5] == 3, 0, plain[5])
    np.testing.assert_array_equal(masks[5], np.where(label > 0, label, kept))
    np.testing.assert_array_equal(np.stack(list(stream(frames, mask, labels={5: label}))), masks)
    # Later frames are segmented from the correction.
    added = segment(frames, mask, labels={5: late_label})
    np.testing.assert_array_equal(added[5], np.where(late_label > 0, late_label, plain[5]))
    assert not np.array_equal(masks[6:], added[6:])


@pytest.mark.campaign
def test_logits_keep_their_shape_when_labels_add_groups(segment, clip, late_label):
    frames, mask = clip
    masks, logits = segment(frames, mask, labels={5: late_label}, return_logits=True)
    assert logits.shape == (len(frames) - 1, 13, 17, 21)
    # The label's own frame is predicted before its objects are known.
    np.testing.assert_allclose(logits[:5, ..., 11:], np.log(1e-5 / (1 - 1e-5)), rtol=1e-4)
    channels = np.array([0, 3, 8, *range(20, 31), *[255] * 7])
    predicted = channels[logits.argmax(axis=-1)]
    np.testing.assert_array_equal(masks[1:5, ::4, ::4], predicted[:4])
    np.testing.assert_array_equal(masks[6:, ::4, ::4], predicted[5:])


def test_every_platforms_backend_gives_the_same_numbers(tiny, segment, clip, late_label):
    frames, mask = clip
    model, variables = tiny
    frames = frames[:6]
    other = mavos_jax.build_model(model.config, backend_for("gpu"))
    assert other.backend != model.backend
    options = {"labels": {2: late_label}, "gap": 2, "return_logits": True}
    masks, logits = segment(frames, mask, **options)
    other_masks, other_logits = mavos_jax.segment_video(other, variables, frames, mask, **options)
    np.testing.assert_allclose(other_logits, logits, atol=2e-5)
    assert (other_masks == masks).mean() > 0.999
