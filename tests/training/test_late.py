import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mavos_jax.training.clip import draw_label_frame, give_at_once, give_late

KEYS = [jax.random.PRNGKey(seed) for seed in range(24)]
NUM_FRAMES, LABEL_AT = 6, 2


def masks_of(num_objects):
    """In every frame a column of background, one for each object, and one of ignored pixels."""
    slots = np.array([*range(num_objects + 1), 255], np.uint8)
    return jnp.broadcast_to(slots, (NUM_FRAMES, 3, len(slots)))


def late(num_objects, key, label_at=LABEL_AT):
    return give_late(masks_of(num_objects), jnp.int32(num_objects), jnp.int32(label_at), key)


@pytest.mark.parametrize("key", KEYS[:8])
def test_late_objects_are_background_until_their_label(key):
    labels, counts, label = (np.asarray(x) for x in late(4, key))
    before, after = labels[: LABEL_AT + 1], labels[LABEL_AT + 1 :]
    (first,) = set(counts[: LABEL_AT + 1])
    assert 1 <= first <= 3
    assert set(counts[LABEL_AT + 1 :]) == {4}
    assert set(before.ravel()) == {0, *range(1, first + 1), 255}
    assert set(after.ravel()) == {0, 1, 2, 3, 4, 255}
    assert set(label.ravel()) == {0, *range(first + 1, 5), 255}
    # Objects keep the slots that they are given from first to last.
    assert (after[0] == np.where(label > 0, label, before[0])).all()


@pytest.mark.parametrize("key", KEYS[:8])
def test_an_object_hidden_at_its_label_stays_background(key):
    masks = masks_of(2)
    is_hidden = (np.arange(NUM_FRAMES) == LABEL_AT)[:, None, None] & (masks == 2)
    masks = jnp.where(is_hidden, 0, masks)
    labels, _, label = give_late(masks, jnp.int32(2), jnp.int32(LABEL_AT), key)
    is_shown = bool((label == 2).any())
    assert bool((labels[LABEL_AT + 1 :] == 2).any()) == is_shown


def test_any_number_of_any_objects_comes_late():
    found = [np.asarray(late(3, key).labels[0, 0]) for key in KEYS]
    assert len({tuple(row[1:4] > 0) for row in found}) == 6  # one or two of three


def test_a_single_object_is_given_twice():
    expected = masks_of(1), np.ones(NUM_FRAMES), masks_of(1)[0]
    jax.tree.map(np.testing.assert_array_equal, tuple(late(1, KEYS[0])), expected)


@pytest.mark.parametrize("num_objects", [0, 1, 3])
def test_without_a_label_all_is_given_at_once(num_objects):
    labels, counts, _ = late(num_objects, KEYS[0], label_at=0)
    whole = give_at_once(masks_of(num_objects), jnp.int32(num_objects))
    np.testing.assert_array_equal(counts, whole.num_objects)
    np.testing.assert_array_equal(labels > 0, whole.labels > 0)


def test_the_label_comes_at_any_frame_but_the_ends():
    frames = [int(draw_label_frame(0.5, 5, jax.random.PRNGKey(seed))) for seed in range(60)]
    assert set(frames) == {0, 1, 2, 3}
    assert 20 < frames.count(0) < 40
    assert all(draw_label_frame(1.0, 5, key) > 0 for key in KEYS)
    assert not any(draw_label_frame(0.0, 5, key) > 0 for key in KEYS)
