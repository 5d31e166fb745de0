"""DAVIS, MOSE and Long-Time Video: which objects and frames count."""

import numpy as np
import pytest
from evaluation.scored_trees import drifting, in_memory, score_arrays, sequence_of

from mavos_jax.datasets.davis import score_davis2016, score_davis2017, summarise_davis
from mavos_jax.datasets.long_time_video import score_long_time_video, summarise_long_time_video
from mavos_jax.datasets.mose import score_mose
from mavos_jax.datasets.protocol import ScoringOptions
from mavos_jax.scores.metrics import mean_scores, score_frame, statistics

RULE = ScoringOptions()


def test_values_by_frame_are_those_of_single_frames():
    truth, prediction = drifting(1, 6), drifting(2, 6)
    truth[3][truth[3] == 2] = 0
    rows = score_arrays(score_davis2017, truth, prediction)
    for index, row in enumerate(rows):
        pairs = [score_frame(truth[t], prediction[t], (1, 2)) for t in (1, 2, 3, 4)]
        assert row.frames == (1, 2, 3, 4)
        assert row.region == tuple(region[index] for region, _ in pairs)
        assert row.boundary == tuple(boundary[index] for _, boundary in pairs)
        assert row.scores.region == statistics(row.region)
        assert row.is_visible == (True, True, index == 0, True)
        assert (row.extra, row.is_unseen) == ({}, None)


def test_first_and_last_masks_are_not_even_read():
    truth, read = drifting(1, 5), []
    watched = in_memory(truth, truth)._replace(prediction=lambda t: read.append(t) or truth[t])
    score_davis2017(sequence_of(truth), watched, RULE)
    assert read == [1, 2, 3]


def test_davis_objects_go_up_to_the_highest_id_of_the_first_frame():
    truth, prediction = drifting(1, 5, (2, 5)), drifting(2, 5, (2, 5))
    truth[0, 0, :3] = 255
    truth[2, 0, :3] = 9  # a new object that DAVIS does not know
    rows = score_arrays(score_davis2017, truth, prediction)
    assert [row.id for row in rows] == [1, 2, 3, 4, 5]
    absent = rows[0]
    assert absent.scores.mean == 1
    assert not any(absent.is_visible)
    lost = score_arrays(score_davis2017, truth, 0 * prediction)
    assert [row.scores.mean for row in lost] == [1, 0, 1, 1, 0]


def test_ids_beyond_the_objects_name_the_file():
    truth, prediction = drifting(1, 5), drifting(2, 5)
    prediction[3, 0, 0] = 7
    masks = in_memory(truth, prediction)._replace(origin="{}.png".format)
    with pytest.raises(ValueError, match=r"^3\.png: expected object ids up to 2, .* found 7; "):
        score_davis2017(sequence_of(truth), masks, RULE)
    prediction[3, 0, 0], prediction[4, 0, 0] = 0, 7  # the last frame does not count
    assert len(score_davis2017(sequence_of(truth), masks, RULE)) == 2
    with pytest.raises(ValueError, match="expected at least one object in the first true mask"):
        score_arrays(score_davis2017, 0 * truth, prediction)


def test_mose_counts_late_objects_after_their_first_mask():
    truth, prediction = drifting(1, 8, (1, 3, 6)), drifting(2, 8, (1, 3, 6))
    truth[:3][truth[:3] == 6] = 0
    starts = {0: None, 3: (6,)}
    rows = {row.id: row for row in score_arrays(score_mose, truth, prediction, given=starts)}
    inner = (1, 2, 3, 4, 5, 6)
    assert {i: row.frames for i, row in rows.items()} == {1: inner, 3: inner, 6: (4, 5, 6)}
    _, boundary = score_frame(truth[5], prediction[5], (6,))
    assert rows[6].boundary[1] == boundary[0]
    davis = score_arrays(score_davis2017, truth, np.minimum(prediction, 3))
    assert rows[1] == davis[0]  # an object of the first frame scores as in DAVIS
    truth[:7][truth[:7] == 6] = 0  # the last frame does not count
    late = score_arrays(score_mose, truth, prediction, given={0: None, 7: (6,)})
    assert [row.id for row in late] == [1, 3]


@pytest.mark.parametrize(
    ("variant", "frames"), [("davis", (9, 20, 31)), ("afb-urr", (9, 20, 31, 39))]
)
def test_long_time_video_counts_labels_alone(variant, frames):
    truth, prediction = drifting(1, 40, (1,)), drifting(2, 40, (1,))
    rule, labelled = ScoringOptions(long_time_video=variant), (0, 9, 20, 31, 39)
    (row,) = score_arrays(score_long_time_video, truth, prediction, rule, labelled=labelled)
    assert row.frames == frames
    assert row.scores.region.mean == pytest.approx(
        np.mean([score_frame(truth[t], prediction[t], (1,))[0] for t in frames])
    )
    words, summary = summarise_long_time_video([row], rule)
    assert variant.upper() in words
    assert summary["J&F-Mean"] == mean_scores([row.scores]).mean


def test_the_official_decay_reaches_every_protocol():
    truth = np.zeros((302, 4, 5), np.uint8)
    truth[:, 1:3, 1:3] = 1
    official = ScoringOptions(official_decay=True)
    for score in (score_davis2017, score_davis2016, score_mose, score_long_time_video):
        (row,) = score_arrays(score, truth, truth)
        assert row.scores.region.decay == 0
        (row,) = score_arrays(score, truth, truth, official)
        assert np.isnan(row.scores.region.decay)
    words, _ = summarise_davis([row], official, words="DAVIS")
    assert "256 frames" in words


def test_davis_2016_is_one_object():
    truth, prediction = drifting(1, 7, (1,)), drifting(2, 7, (1,))
    one, several = (
        score_arrays(score, truth, prediction) for score in (score_davis2016, score_davis2017)
    )
    assert one == several
