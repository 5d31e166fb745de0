"""LVOS and YouTube-VOS: life spans, stability, seen and unseen."""

import dataclasses

import numpy as np
import pytest
from evaluation.scored_trees import drifting, in_memory, lvos_spans, score_arrays, sequence_of

from mavos_jax.datasets.lvos import score_lvos, stability, summarise_lvos
from mavos_jax.datasets.protocol import ScoringOptions
from mavos_jax.datasets.youtube_vos import score_youtube_vos, summarise_youtube_vos
from mavos_jax.scores.metrics import ObjectScores, statistics

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
        np.testing.assert_allclose(values, golden[f"lvos_{measure}_per_object"], rtol=0, atol=1e-12)
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


@pytest.mark.parametrize(
    ("lvos", "declared", "frames", "num_zeros"),
    [
        ("2024-05", 10, range(1, 9), 0),
        ("2024-05", 11, range(1, 10), 0),  # the last declared frame is the end, not in the span
        ("2024-05", 12, range(1, 10), 1),
        ("before-2024-05", 10, range(10), 0),
        ("before-2024-05", 11, range(10), 1),
        ("before-2024-05", 9, range(10), 0),
    ],
)
def test_the_frames_that_metadata_of_lvos_declare(lvos, declared, frames, num_zeros):
    truth, prediction = drifting(1, 10), drifting(2, 10)
    rule, foreign = ScoringOptions(lvos=lvos), np.where(prediction == 0, 7, prediction)
    sequence = sequence_of(truth, spans=SPANS)
    sequence = dataclasses.replace(sequence, declared_frames={1: declared})
    row, other = score_lvos(sequence, in_memory(truth, prediction), rule)
    assert score_lvos(sequence, in_memory(truth, foreign), rule) == (row, other)
    assert row.frames == tuple(frames)
    assert len(row.region) == len(frames)
    assert other.frames == ((4, 5, 6) if lvos == "2024-05" else SPANS[2])
    words, _ = summarise_lvos([row, other], rule)
    assert ("before 2024-05" in words) == ("before" in lvos)
    region, boundary = ([*values, *[0.0] * num_zeros] for values in (row.region, row.boundary))
    assert row.scores == ObjectScores(statistics(region), statistics(boundary))
    assert row.extra["V"] == stability(region, boundary)


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
    rule = ScoringOptions(unseen=frozenset({"dog"}))
    more = {"spans": SPANS, "categories": {1: "dog"}}
    with pytest.raises(ValueError, match=r"^v: expected the categories of all .* found none for 2"):
        score_arrays(score_youtube_vos, truth, truth, rule, name="v", **more)
