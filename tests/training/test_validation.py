import functools

import numpy as np
from refusals import refuse
from training.stand_in import CONFIG
from video_sets import BoxSet, MaskVideo

from mavos_jax.inference.video import segment_video
from mavos_jax.models.mavos import build_model, init_variables
from mavos_jax.scores.metrics import score_frame
from mavos_jax.training import validation as evaluation
from mavos_jax.training.validation import evaluate, score_video

VIDEOS = BoxSet(length=2)  # two objects, then one


@functools.cache
def network():
    model = build_model(CONFIG)
    return model, init_variables(model)


def test_scores_are_those_of_davis():
    video = VIDEOS[0]
    frames = np.stack([video[t].frame for t in range(6)])
    predicted = segment_video(*network(), frames=frames, mask=video.masks[0])
    counted = zip(video.masks[1:-1], predicted[1:-1], strict=True)
    expected = np.mean([score_frame(truth, mask, (1, 2)) for truth, mask in counted], axis=(0, 2))
    found = evaluate(*network(), VIDEOS, num_videos=1)
    assert found is not None
    np.testing.assert_allclose((*found[:2], found.mean), (*expected, expected.mean()))
    assert found.num_objects == 2


def test_the_mean_is_over_the_objects_of_all_videos():
    rows = score_video(*network(), VIDEOS[0]) + score_video(*network(), VIDEOS[1])
    found = evaluate(*network(), VIDEOS)
    assert found is not None
    np.testing.assert_allclose(found[:2], np.mean(rows, axis=0))
    assert found.num_objects == len(rows) == 3


def test_a_later_object_is_given_when_it_appears(monkeypatch):
    masks, given = VIDEOS[0].masks, {}
    masks[:2][masks[:2] == 2] = 0

    def perfect(model, variables, frames, mask, *, labels):
        given.update(labels)
        return iter(masks)

    monkeypatch.setattr(evaluation, "stream_masks", perfect)
    assert score_video(*network(), MaskVideo(masks)) == [(1.0, 1.0), (1.0, 1.0)]
    assert list(given) == [2]
    assert set(np.unique(given[2])) == {0, 2}


def test_frames_before_the_first_object_are_left_out():
    masks = VIDEOS[0].masks
    masks[0] = 0
    whole, later = (score_video(*network(), MaskVideo(x)) for x in (masks, masks[1:]))
    assert whole == later


def test_videos_without_objects_are_refused():
    empty = BoxSet(length=1, empty=True)
    refuse("expected held-out videos with objects", evaluate, *network(), empty)


def test_an_evaluation_can_be_given_up():
    assert evaluate(*network(), VIDEOS, is_stopping=lambda: True) is None
