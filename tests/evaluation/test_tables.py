"""CSV files as the official tools write them."""

import csv
import io
import math

import numpy as np
import pytest
from evaluation.scored_trees import drifting, write_benchmark, write_results

from mavos_jax.datasets.protocol import ScoringOptions
from mavos_jax.evaluation import scoring

SPANS = {"ant": {1: tuple(range(6)), 2: tuple(range(2, 6))}, "bee": {2: tuple(range(6))}}


def scored(root, dataset, rule):
    truth = {name: drifting(seed, 6) for seed, name in enumerate(SPANS)}
    benchmark = write_benchmark(root, truth, dataset, spans=SPANS)
    results = {name: drifting(seed + 5, 6) for seed, name in enumerate(SPANS)}
    return benchmark, scoring.score_results(benchmark, write_results(root / "r", results), rule)


def read_csv(path):
    content = path.read_bytes().decode()
    assert "\r" not in content
    assert content.endswith("\n")
    return list(csv.reader(io.StringIO(content)))


def test_davis_files_are_the_official_ones(tmp_path):
    benchmark, scores = scored(tmp_path, "davis2017", ScoringOptions())
    undefined = scores._replace(summary={**scores.summary, "J-Decay": math.nan})
    scoring.write_scores(tmp_path / "out", benchmark, undefined, {})
    header, values = read_csv(tmp_path / "out/global_results-val.csv")
    assert ",".join(header) == "J&F-Mean,J-Mean,J-Recall,J-Decay,F-Mean,F-Recall,F-Decay"
    expected = [f"{value:.3f}" for value in scores.summary.values()]
    assert values == [*expected[:3], "", *expected[4:]]
    _, *rows = read_csv(tmp_path / "out/per-sequence_results-val.csv")
    assert [row[0] for row in rows] == ["ant_1", "ant_2", "bee_1", "bee_2"]
    means = np.array([row[1:] for row in rows], float).mean(axis=0)
    expected = scores.summary["J-Mean"], scores.summary["F-Mean"]
    np.testing.assert_allclose(means, expected, atol=6e-4)


def test_lvos_files_have_the_official_columns(tmp_path):
    benchmark, scores = scored(tmp_path, "lvos2", ScoringOptions(unseen=frozenset({"bee"})))
    scoring.write_scores(tmp_path, benchmark, scores, {})
    header, values = read_csv(tmp_path / "global_results-val.csv")
    j, f, v = np.array(
        [[r.scores.region.mean, r.scores.boundary.mean, r.extra["V"]] for r in scores.objects]
    ).T
    expected = {"J&F-Mean": np.mean([j[:2].mean(), f[:2].mean(), j[2], f[2]])}
    for letter, column in (("J", j), ("F", f), ("V", v)):
        expected[f"{letter}-Mean"] = np.mean([column[:2].mean(), column[2]])
        expected[f"{letter}-seen-Mean"] = column[:2].mean()
        expected[f"{letter}-unseen-Mean"] = column[2]
    assert header == list(expected)
    assert [*map(float, values)] == pytest.approx([*expected.values()], abs=5.1e-4)
    header, *rows = read_csv(tmp_path / "per-sequence_results-val.csv")
    assert header == ["Sequence", "J-Mean", "F-Mean", "V-Mean"]
    assert [row[0] for row in rows] == ["ant_1", "ant_2", "bee_2"]
    assert float(rows[2][3]) == pytest.approx(v[2], abs=5.1e-4)


def test_vost_files_have_the_official_columns(tmp_path):
    benchmark, scores = scored(tmp_path, "vost", ScoringOptions())
    scoring.write_scores(tmp_path, benchmark, scores, {})
    header, *rows = read_csv(tmp_path / "per-sequence_results-val.csv")
    assert header == ["Sequence", "J-Mean", "J_last-Mean"]
    means = np.array([row[1:] for row in rows], float).mean(axis=0)
    expected = scores.summary["J-Mean"], scores.summary["J_last-Mean"]
    np.testing.assert_allclose(means, expected, atol=6e-4)


def test_tables_as_text_line_up():
    table = scoring.Table(("Sequence", "J"), (("a_1", 0.12345), ("long_name_12", -0.5)))
    lines = "    Sequence       J", "         a_1   0.123", "long_name_12  -0.500"
    assert str(table).splitlines() == [*lines]
