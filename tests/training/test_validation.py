import dataclasses
import functools

import numpy as np
import pytest
from refusals import refuse
from training.stand_in import CONFIG
from video_sets import draw_whole

from mavos_jax.generated.video import SyntheticVideo
from mavos_jax.inference.video import segment_video
from mavos_jax.media.samples import Sample
from mavos_jax.models.mavos import build_model, init_variables
from mavos_jax.scores.metrics import score_frame
from mavos_jax.training import validation as evaluation
from mavos_jax.training.validation import evaluate, score_video


@dataclasses.dataclass
class Video:
    """Frames and masks in memory."""

    frames: np.ndarray
    masks: np.ndarray
    name: str = "a video"

    def __len__(self):
        return len(self.frames)

    def __getitem__(self, index):
        return Sample(self.frames[index], self.masks[index])

    def mask(self, index):
        return self.masks[index]


class Videos(list[Video]):
    name, max_gap, is_static, num_left_out = "videos", 1, False, 0

    def fingerprint(self):
        return "none"


@pytest.fixture(scope="module")
def network():
    model = build_model(CONFIG)
    return model, init_variables(model)


@pytest.fixture(scope="module")
def video():
    drawn = draw_whole(SyntheticVideo(seed=3, num_frames=6, height=48, width=64, num_objects=2))
    return Video(drawn.frames, drawn.masks)


@pytest.fixture(scope="module")
def score(network):
    return functools.partial(evaluate, *network)


@pytest.fixture(scope="module")
def score_one(network):
    return functools.partial(score_video, *network)


def test_scores_are_those_of_davis(network, score, video):
    predicted = segment_video(*network, frames=video.frames, mask=video.masks[0])
    counted = zip(video.masks[1:-1], predicted[1:-1], strict=True)
    expected = np.mean([score_frame(truth, mask, (1, 2)) for truth, mask in counted], axis=(0, 2))
    found = score(Videos([video]))
    assert np.allclose(found[:2], expected)
    assert np.isclose(found.mean, expected.mean())
    assert found.num_objects == 2


def test_the_mean_is_over_the_objects_of_all_videos(score, score_one, video):
    one = Video(video.frames, np.where(video.masks == 1, 1, 0).astype(np.uint8))
    rows = score_one(video) + score_one(one)
    found = score(Videos([video, one]))
    assert np.allclose(found[:2], np.mean(rows, axis=0))
    assert score(Videos([video, one]), num_videos=1).num_objects == 2


def test_a_later_object_is_given_when_it_appears(score_one, video, monkeypatch):
    masks = video.masks.copy()
    masks[:2][masks[:2] == 2] = 0
    given = {}

    def perfect(model, variables, frames, mask, *, labels):
        given.update(labels)
        return iter(masks)

    monkeypatch.setattr(evaluation, "stream_masks", perfect)
    assert score_one(Video(video.frames, masks)) == [(1.0, 1.0), (1.0, 1.0)]
    assert list(given) == [2]
    assert set(np.unique(given[2])) == {0, 2}


def test_frames_before_the_first_object_are_left_out(score_one, video):
    masks = video.masks.copy()
    masks[0] = 0
    later = Video(video.frames[1:], video.masks[1:])
    assert score_one(Video(video.frames, masks)) == score_one(later)


def test_videos_without_objects_are_refused(score, video):
    empty = Video(video.frames, np.zeros_like(video.masks))
    refuse("expected held-out videos with objects", score, Videos([empty]))


def test_an_evaluation_can_be_given_up(score, video):
    assert score(Videos([video]), is_stopping=lambda: True) is None
