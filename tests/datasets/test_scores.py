"""All protocols but those of LVOS and YouTube-VOS: which objects and frames count.

MOSEv2, SA-V and VOST score as by their public tools, whose numbers are in the goldens.
"""

import numpy as np
import pytest
from evaluation.scored_trees import drifting, score_arrays
from refusals import refuse

from mavos_jax.datasets import mose
from mavos_jax.datasets.davis import score_davis2016, score_davis2017, summarise_davis
from mavos_jax.datasets.long_time_video import score_long_time_video, summarise_long_time_video
from mavos_jax.datasets.protocol import ScoringOptions
from mavos_jax.datasets.sav import score_sav
from mavos_jax.datasets.table import find_protocol
from mavos_jax.datasets.vost import summarise_vost
from mavos_jax.scores.boundary import _dilate
from mavos_jax.scores.metrics import mean_scores, score_frame

OFFICIAL = ScoringOptions(official_decay=True)


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


def test_a_first_true_mask_without_objects_is_refused():
    words = "expected at least one object in the first true mask"
    refuse(words, score_arrays, score_davis2017, np.zeros((5, 4, 4), np.uint8), None)


def test_mose_counts_late_objects_after_their_first_mask():
    truth, prediction = drifting(1, 8, (1, 3, 6)), drifting(2, 8, (1, 3, 6))
    truth[:3][truth[:3] == 6] = 0
    starts = {0: None, 3: (6,)}
    rows = {row.id: row for row in score_arrays(mose.score_mose, truth, prediction, given=starts)}
    inner = (1, 2, 3, 4, 5, 6)
    assert {i: row.frames for i, row in rows.items()} == {1: inner, 3: inner, 6: (4, 5, 6)}
    davis = score_arrays(score_davis2017, truth, np.minimum(prediction, 3))
    assert rows[1] == davis[0]  # an object of the first frame scores as in DAVIS
    truth[:7][truth[:7] == 6] = 0  # the last frame does not count
    late = score_arrays(mose.score_mose, truth, prediction, given={0: None, 7: (6,)})
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
    for score in (score_davis2017, score_davis2016, mose.score_mose, score_long_time_video):
        (row,) = score_arrays(score, truth, truth)
        assert row.scores.region.decay == 0
        (row,) = score_arrays(score, truth, truth, OFFICIAL)
        assert np.isnan(row.scores.region.decay)
    words, _ = summarise_davis([row], OFFICIAL, words="DAVIS")
    assert "256 frames" in words


def test_davis_2016_is_one_object():
    truth, prediction = drifting(1, 7, (1,)), drifting(2, 7, (1,))
    one, several = (
        score_arrays(score, truth, prediction) for score in (score_davis2016, score_davis2017)
    )
    assert one == several


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_disks_of_any_radius_are_those_of_the_public_tools(goldens):
    golden = goldens("disks")
    for index, radius in enumerate(golden["radii"].tolist()):
        expected = np.unpackbits(golden[f"dilated__{index}"])[: 45 * 45].reshape(45, 45)
        dilated = _dilate(1 << (22 * 64 + 22), 64, radius)
        found = [[dilated >> (64 * y + x) & 1 for x in range(45)] for y in range(45)]
        np.testing.assert_array_equal(found, expected)


def mosev2_rows(golden, video):
    ids = [int(number) for number in golden[f"objects__{video}"]]
    if f"pred__{video}" not in golden:
        return tuple(mose.lost_object(video, number) for number in ids)
    truth, prediction = golden[f"gt__{video}"], golden[f"pred__{video}"]
    spans = dict.fromkeys(ids, ())
    return score_arrays(mose.score_mosev2, truth, prediction, name=video, spans=spans)


def test_mosev2(goldens):
    golden = dict(goldens("mosev2"))
    rows = [row for video in golden["videos"].tolist() for row in mosev2_rows(golden, video)]
    assert [f"{row.sequence}_{row.id}" for row in rows] == golden["object_keys"].tolist()
    for row, expected in zip(rows, golden["per_object"], strict=True):
        means = row.scores.region.mean, row.scores.boundary.mean, row.extra["F"]
        nothing = float("nan"), float("nan")
        close(
            [*means, *(x for v in (False, True) for x in mose.clip_means(row, v) or nothing)],
            expected,
        )
        key = f"{row.sequence}__{row.id}"
        if row.frames:
            assert row.frames == tuple(range(1, len(golden[f"gt__{row.sequence}"]) - 1))
            close(row.region, golden[f"frames_j__{key}"])
            close(row.boundary, golden[f"frames_fdot__{key}"])
    _, summary = mose.summarise_mosev2(rows, ScoringOptions())
    close(list(summary.values()), golden["overall_full"])
    assert list(summary) == ["J&Fdot", "J", "Fdot", "J&F_d", "J&F_r", "F", "J&F"]


def test_sav(goldens):
    golden = goldens("sav")
    rows = []
    for key in golden["sav_object_keys"].tolist():
        truth, prediction = golden[f"gt__{key}"], golden[f"pred__{key}"]
        rows += score_arrays(score_sav, truth, prediction, name=key)
    found = [(100 * row.scores.region.mean, 100 * row.scores.boundary.mean) for row in rows]
    close(found, golden["sav_per_object_J_F"])
    _, summary = summarise_davis(rows, ScoringOptions(), words="")
    names = "J&F-Mean", "J-Mean", "F-Mean"
    close([100 * summary[name] for name in names], golden["sav_overall_JF_J_F"])


def test_vost(goldens):
    golden = goldens("vost")
    protocol = find_protocol("vost")
    rows = []
    for name in sorted(key[4:] for key in golden if key.startswith("gt__")):
        truth, prediction = golden[f"gt__{name}"], golden[f"pred__{name}"]
        rows += score_arrays(protocol.score, truth, prediction, OFFICIAL, name=name)
    assert [f"{row.sequence}_{row.id}" for row in rows] == golden["object_keys"].tolist()
    columns = golden["per_object_columns"].tolist()
    for row, expected in zip(rows, golden["per_object"], strict=True):
        _, summary = summarise_vost([row], OFFICIAL)
        close([summary[name] for name in columns], expected)
    _, summary = summarise_vost(rows, OFFICIAL)
    assert next(iter(summary)) == "J_last-Mean"
    close([summary[name] for name in columns], golden["overall"])
