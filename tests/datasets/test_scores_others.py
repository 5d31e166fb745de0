"""MOSEv2, SA-V and VOST score as by their public tools, whose numbers are in the goldens."""

import numpy as np
from evaluation.scored_trees import score_arrays

from mavos_jax.datasets.davis import summarise_davis
from mavos_jax.datasets.mose import clip_means, lost_object, score_mosev2, summarise_mosev2
from mavos_jax.datasets.protocol import ScoringOptions
from mavos_jax.datasets.sav import score_sav
from mavos_jax.datasets.table import find_protocol
from mavos_jax.datasets.vost import summarise_vost
from mavos_jax.scores.boundary import _dilate

RULE = ScoringOptions()
OFFICIAL = ScoringOptions(official_decay=True)


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
        return tuple(lost_object(video, number) for number in ids)
    truth, prediction = golden[f"gt__{video}"], golden[f"pred__{video}"]
    spans = dict.fromkeys(ids, ())
    return score_arrays(score_mosev2, truth, prediction, name=video, spans=spans)


def test_mosev2(goldens):
    golden = dict(goldens("mosev2"))
    rows = [row for video in golden["videos"].tolist() for row in mosev2_rows(golden, video)]
    assert [f"{row.sequence}_{row.id}" for row in rows] == golden["object_keys"].tolist()
    for row, expected in zip(rows, golden["per_object"], strict=True):
        means = row.scores.region.mean, row.scores.boundary.mean, row.extra["F"]
        nothing = float("nan"), float("nan")
        close(
            [*means, *(x for v in (False, True) for x in clip_means(row, v) or nothing)], expected
        )
        key = f"{row.sequence}__{row.id}"
        if row.frames:
            assert row.frames == tuple(range(1, len(golden[f"gt__{row.sequence}"]) - 1))
            close(row.region, golden[f"frames_j__{key}"])
            close(row.boundary, golden[f"frames_fdot__{key}"])
    _, summary = summarise_mosev2(rows, RULE)
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
    _, summary = summarise_davis(rows, RULE, words="")
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
