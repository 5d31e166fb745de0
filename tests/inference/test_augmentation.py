import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_configs import vary

from mavos_jax.inference import source
from mavos_jax.inference.geometry import Augmentation, Sizes, geometries
from mavos_jax.models.resize import apply_taps


@pytest.fixture
def run(stream_in_chunks):
    return lambda *clip, **options: np.stack(list(stream_in_chunks(*clip, **options)))


def test_a_mirrored_view_is_the_view_of_mirrored_frames(tiny, clip):
    frames, mask = clip
    sizes = Sizes((45, 61), (40, 50))
    plain, mirrored = geometries(tiny[0].config, sizes, Augmentation(flip=True))
    frame = jnp.asarray(frames[0, :45, :61], jnp.float32)
    np.testing.assert_array_equal(
        apply_taps(frame, *mirrored.frame), apply_taps(frame[:, ::-1], *plain.frame)
    )
    given = jnp.asarray(mask[:45, :61])
    np.testing.assert_array_equal(mirrored.given_mask(given), plain.given_mask(given[:, ::-1]))
    logits = jax.random.normal(jax.random.PRNGKey(0), (13, 17, 2))
    there = np.asarray(apply_taps(logits, *mirrored.output))[:40, :50]
    back = np.asarray(apply_taps(logits, *plain.output))[:40, :50]
    np.testing.assert_array_equal(there, back[:, ::-1])
    np.testing.assert_array_equal(
        mirrored.predicted_mask(given[:40, :50]), plain.predicted_mask(given[:40, :50][:, ::-1])
    )


def test_frames_below_the_least_short_edge_are_seen_as_at_the_scale_that_reaches_it(tiny):
    config, sizes = tiny[0].config, Sizes((48, 64), (48, 64))
    (doubled,) = geometries(config, sizes, Augmentation(scales=(2.0,)))
    (found,) = geometries(vary(config, inference={"min_short_edge": 96}), sizes)
    jax.tree.map(np.testing.assert_array_equal, found, doubled)
    assert found.network_size == (97, 129)
    assert found.output_size == (48, 64)


@pytest.mark.campaign
def test_labels_reach_every_view(run, clip, late_label):
    masks = run(*clip, labels={4: late_label}, augmentation=Augmentation((1.0, 0.75), True))
    new = late_label > 0
    np.testing.assert_array_equal(masks[4][new], late_label[new])
    assert set(np.unique(late_label)) <= set(np.unique(masks[4]))


def test_padding_is_seen_by_nothing(segment, clip, monkeypatch):
    frames, mask = clip[0][:, :45, :61], clip[1][:45, :61]
    expected, pull = segment(frames, mask), source.Source.pull

    def fill(self, chunk):
        chunk[:] = 255
        return pull(self, chunk)

    monkeypatch.setattr(source.Source, "pull", fill)
    np.testing.assert_array_equal(segment(frames, mask), expected)


def test_sizes_that_enter_the_network_alike_share_a_program(segment, clip, count_compilations):
    frames, mask = clip
    segment(frames[:, :46, :62], mask[:46, :62])
    with count_compilations() as count:
        segment(frames[:, :45, :63], mask[:45, :63])
    assert count.compilations == 0


def test_masks_of_another_size_than_the_frames(run, clip):
    masks = run(*clip, output_size=(25, 33))
    assert masks.shape[1:] == (25, 33)
    np.testing.assert_array_equal(masks[0], clip[1][::2, ::2])
    assert (run(*clip)[:, ::2, ::2] == masks).mean() > 0.9
