import numpy as np
import pytest

from mavos_jax.config import Experiment
from mavos_jax.evaluation import demonstration, one_video
from mavos_jax.evaluation.demonstration import (
    DEMONSTRATION,
    TruthScorer,
    in_percent,
    score_demonstration,
)
from mavos_jax.evaluation.one_video import segment_to_folder
from mavos_jax.evaluation.output import OutputFolder
from mavos_jax.evaluation.video_task import VideoTask
from mavos_jax.generated.video import SyntheticVideo
from mavos_jax.media.masks import write_mask
from mavos_jax.media.overlay import write_picture
from mavos_jax.models.mavos import build_model
from mavos_jax.scores.metrics import ObjectScores, Statistics, mean_scores, score_davis

CLIP = SyntheticVideo(seed=1, num_frames=6, height=32, width=48, num_objects=2)
TRUTH = np.stack([CLIP.mask(index) for index in range(len(CLIP))])
MODEL = build_model(Experiment(name="untouched"))


@pytest.fixture
def copying(monkeypatch):
    """A network that says that nothing moves."""

    def stream(model, variables, frames, mask, **options):
        for _ in frames:
            yield mask

    monkeypatch.setattr(demonstration, "stream_masks", stream)
    monkeypatch.setattr(one_video, "stream_masks", stream)


def score(masks):
    scorer = TruthScorer(CLIP.mask)
    for mask in masks:
        scorer.add(mask)
    return scorer.scores()


def test_masks_are_scored_by_the_rules_of_davis():
    assert score(TRUTH).mean == 1
    shifted = np.roll(TRUTH, 2, axis=2)
    assert score(shifted) == mean_scores(score_davis(TRUTH, shifted).values())


def test_ids_beyond_the_objects_are_as_wrong_as_background():
    masks = np.roll(TRUTH, 2, axis=2)
    masks[:, :8], beyond = 0, masks.copy()
    beyond[:, :8] = 7
    assert score(beyond) == score(masks)


def test_a_score_needs_three_frames():
    with pytest.raises(ValueError, match="at least 3 frames"):
        score(TRUTH[:2])


def test_percentages_have_one_decimal():
    scores = ObjectScores(Statistics(0.80149, 1, 0), Statistics(0.9, 1, 0))
    assert in_percent(scores) == {"J": 80.1, "F": 90.0, "J&F": 85.1}


def test_the_demonstration_is_no_clip_on_which_copying_does_well(copying):
    assert 0.05 < score_demonstration(MODEL, {}).mean < 0.4


def test_scores_are_reported_only_where_the_truth_is_known(copying, tmp_path):
    known = segment_to_folder(
        MODEL, {}, VideoTask.demonstration(5), OutputFolder.open(tmp_path / "known")
    )
    assert known.scores == score_demonstration(MODEL, {})
    assert known.num_frames == len(DEMONSTRATION)
    for index in range(len(CLIP)):
        write_picture(tmp_path / "frames" / f"{index}.png", CLIP.frame(index))
    write_mask(tmp_path / "first.png", CLIP.mask(0))
    task = VideoTask.open(tmp_path / "frames", tmp_path / "first.png")
    assert segment_to_folder(MODEL, {}, task, OutputFolder.open(tmp_path)).scores is None
