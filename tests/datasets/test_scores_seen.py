"""LVOS and YouTube-VOS: life spans, stability, seen and unseen."""

import dataclasses

import numpy as np
import pytest
from evaluation.scored_trees import drifting, in_memory, lvos_spans, score_arrays, sequence_of

from mavos_jax.datasets.lvos import score_lvos, stability, summarise_lvos
from mavos_jax.datasets.protocol import ScoringOptions
from mavos_jax.datasets.youtube_vos import score_youtube_vos, summarise_youtube_vos
from mavos_jax.scores.metrics import ObjectScores, score_frame, statistics

SPANS = {1: tuple(range(10)), 2: tuple(range(3, 8))}


def lvos_summary(golden, unseen):
    """The objects of the golden videos, and their summary where some of them are unseen."""
    rule, rows = ScoringOptions(unseen=unseen and frozenset(unseen)), []
    for name, spans in lvos_spans(golden).items():
        truth, prediction = golden[f"lvos_{name}_gt"], golden[f"lvos_{name}_pred"]
        rows += score_arrays(score_lvos, truth, prediction, rule, name=name, spans=spans)
    return rows, *summarise_lvos(rows, rule)


def test_lvos_scores_as_by_the_official_tool(goldens):
    golden = goldens("scorers")
    rows, words, summary = lvos_summary(golden, golden["lvos_unseen"].tolist())
    assert [f"{row.sequence}_{row.id}" for row in rows] == golden["lvos_objects"].tolist()
    found = {
        "J": [row.scores.region.mean for row in rows],
        "F": [row.scores.boundary.mean for row in rows],
        "V": [row.extra["V"] for row in rows],
    }
    expected = {"J&F": golden["lvos_JF_mean"], "V": golden["lvos_V_per_object"].mean()}
    for measure, values in found.items():
        per_object = golden[f"lvos_{measure}_per_object"]
        np.testing.assert_allclose(values, per_object, rtol=0, atol=1e-12)
        for part in ("seen", "unseen"):
            expected[f"{measure}_{part[0]}"] = golden[f"lvos_{measure}_{part}_mean"]
    assert list(summary) == ["J&F", "J_s", "F_s", "J_u", "F_u", "V", "V_s", "V_u"]
    assert summary == pytest.approx({name: float(x) for name, x in expected.items()}, abs=1e-12)
    assert "since 2024-05" in words


@pytest.mark.parametrize(
    ("unseen", "names"),
    [(None, ["J&F", "J", "F", "V"]), (["elsewhere"], ["J&F", "J_s", "F_s", "V", "V_s"])],
)
def test_lvos_without_a_list_or_a_part(goldens, unseen, names):
    golden = goldens("scorers")
    rows, words, summary = lvos_summary(golden, unseen)
    assert {row.is_unseen for row in rows} == {None if unseen is None else False}
    assert "unseen videos" in words
    assert list(summary) == names
    mean = (golden["lvos_J_per_object"].mean() + golden["lvos_F_per_object"].mean()) / 2
    assert summary["J&F"] == pytest.approx(mean, abs=1e-12)


def test_the_lvos_rule_of_before_drops_no_frame():
    truth, prediction = drifting(1, 10), drifting(2, 10)
    rules = ScoringOptions(), ScoringOptions(lvos="before-2024-05")
    new, old = (score_arrays(score_lvos, truth, prediction, r, spans=SPANS) for r in rules)
    assert [row.frames for row in new] == [tuple(range(1, 9)), (4, 5, 6)]
    assert [row.frames for row in old] == list(SPANS.values())
    for row, earlier in zip(new, old, strict=True):
        assert row.region == earlier.region[1:-1]
        assert earlier.extra["V"] == stability(earlier.region, earlier.boundary)
    words, _ = summarise_lvos(old, rules[1])
    assert "before 2024-05" in words


@pytest.mark.parametrize(
    ("lvos", "declared", "frames", "num_zeros"),
    [
        ("2024-05", 10, range(1, 9), 0),
        ("2024-05", 11, range(1, 10), 0),  # the last declared frame is the end, not in the span
        ("2024-05", 12, range(1, 10), 1),
        ("before-2024-05", 10, range(10), 0),
        ("before-2024-05", 11, range(10), 1),
        ("before-2024-05", 13, range(10), 3),
        ("before-2024-05", 9, range(10), 0),
    ],
)
def test_the_frames_that_metadata_of_lvos_declare(lvos, declared, frames, num_zeros):
    truth, prediction = drifting(1, 10), drifting(2, 10)
    sequence = sequence_of(truth, spans=SPANS)
    sequence = dataclasses.replace(sequence, declared_frames={1: declared})
    row, other = score_lvos(sequence, in_memory(truth, prediction), ScoringOptions(lvos=lvos))
    assert row.frames == tuple(frames)
    assert len(row.region) == len(frames)
    assert len(other.frames) == (3 if lvos == "2024-05" else 5)
    region, boundary = ([*values, *[0.0] * num_zeros] for values in (row.region, row.boundary))
    assert row.scores == ObjectScores(statistics(region), statistics(boundary))
    assert row.extra["V"] == stability(region, boundary)
    expected = sum(row.region) / (len(frames) + num_zeros)
    assert row.scores.region.mean == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("lvos", ["2024-05", "before-2024-05"])
def test_ids_that_no_object_of_lvos_has_are_background(lvos):
    truth, prediction = drifting(1, 10), drifting(2, 10)
    rule, foreign = ScoringOptions(lvos=lvos), np.where(prediction == 0, 7, prediction)
    expected = score_arrays(score_lvos, truth, prediction, rule, spans=SPANS)
    assert score_arrays(score_lvos, truth, foreign, rule, spans=SPANS) == expected
    with pytest.raises(ValueError, match=r"expected object ids up to 2, .* found 7"):
        score_arrays(score_youtube_vos, truth, foreign, rule, spans=SPANS)


def test_a_hidden_object_scores_1_where_nothing_is_predicted():
    truth, prediction = drifting(1, 10), drifting(2, 10)
    truth[5:8][truth[5:8] == 1] = 0
    prediction[5:7][prediction[5:7] == 1] = 0
    row, _ = score_arrays(score_lvos, truth, prediction, spans=SPANS)
    columns = zip(row.frames, row.region, row.boundary, row.is_visible, strict=True)
    by_frame = {frame: tuple(values) for frame, *values in columns}
    assert by_frame[5] == by_frame[6] == (1, 1, False)
    assert by_frame[7] == (0, 0, False)
    assert by_frame[8][2]


def test_stability():
    assert stability([0.5, 0.5], [0.7, 0.7]) == 0
    # JF is 0.2 and 0.6, 0.2 from its mean: a variance of 0.04.
    assert stability([0.1, 0.5], [0.3, 0.7]) == pytest.approx(0.2)
    assert stability([1.0, 0.0], [1.0, 0.0]) == 0.5
    # A variance of 0.000049 is rounded to 0, one of 0.000064 to 0.0001.
    assert stability([0.5, 0.514], [0.5, 0.514]) == 0
    assert stability([0.5, 0.516], [0.5, 0.516]) == pytest.approx(0.01)


def youtube_rows(rule):
    rows = []
    for seed, kinds in enumerate([("dog", "ape"), ("dog", "cat")]):
        truth, prediction = drifting(seed, 10), drifting(seed + 7, 10)
        more = {"name": f"v{seed}", "spans": SPANS, "categories": dict(enumerate(kinds, 1))}
        rows += score_arrays(score_youtube_vos, truth, prediction, rule, **more)
    return rows


def test_youtube_vos_counts_listed_frames_after_the_first():
    rule = ScoringOptions(unseen=frozenset({"ape", "cat"}))
    rows = youtube_rows(rule)
    assert [row.frames for row in rows] == 2 * [tuple(range(1, 10)), (4, 5, 6, 7)]
    assert [row.is_unseen for row in rows] == [False, True, False, True]
    region, boundary = score_frame(drifting(0, 10)[9], drifting(7, 10)[9], (1,))
    assert (rows[0].region[-1], rows[0].boundary[-1]) == (region[0], boundary[0])

    _, summary = summarise_youtube_vos(rows, rule)
    assert list(summary) == ["G", "J_seen", "J_unseen", "F_seen", "F_unseen"]
    table = np.array([[row.scores.region.mean, row.scores.boundary.mean] for row in rows])
    expected = [*table[::2].mean(axis=0), *table[1::2].mean(axis=0)]
    parts = [summary[name] for name in ("J_seen", "F_seen", "J_unseen", "F_unseen")]
    assert parts == pytest.approx(expected)
    assert summary["G"] == pytest.approx(np.mean(expected))


@pytest.mark.parametrize(
    ("unseen", "names", "words"),
    [
        (None, ["J&F", "J", "F"], "plain means"),
        (("dog", "ape", "cat"), ["G", "J_unseen", "F_unseen"], "no seen categories"),
    ],
)
def test_youtube_vos_without_a_list_or_a_part(unseen, names, words):
    rule = ScoringOptions(unseen=unseen and frozenset(unseen))
    rows = youtube_rows(rule)
    said, summary = summarise_youtube_vos(rows, rule)
    assert list(summary) == names
    assert words in said
    assert summary[names[0]] == pytest.approx(np.mean([row.scores.mean for row in rows]))


def test_a_category_that_is_not_known_is_named():
    truth = drifting(1, 10)
    rule, more = (
        ScoringOptions(unseen=frozenset({"dog"})),
        {"spans": SPANS, "categories": {1: "dog"}},
    )
    with pytest.raises(ValueError, match=r"^v: expected the categories of all .* found none for 2"):
        score_arrays(score_youtube_vos, truth, truth, rule, name="v", **more)
