"""Scores from files: the goldens, folders as people lay them out, processes, and mistakes."""

import dataclasses
import multiprocessing
import shutil

import numpy as np
import pytest
from evaluation.scored_trees import drifting, write_benchmark, write_results
from PIL import Image
from refusals import refuse

from mavos_jax.datasets import BENCHMARKS
from mavos_jax.datasets.protocol import ScoringOptions
from mavos_jax.evaluation.reading import find_masks, fingerprint_results
from mavos_jax.evaluation.scoring import score_results
from mavos_jax.media.masks import read_values, write_mask

RULE = ScoringOptions()
NAMES = ("cat", "dog")


@pytest.fixture
def tree(tmp_path):
    truth = {name: drifting(seed, 5) for seed, name in enumerate(NAMES)}
    results = {name: drifting(seed + 9, 5) for seed, name in enumerate(NAMES)}
    benchmark = write_benchmark(tmp_path / "set", truth)
    return benchmark, write_results(tmp_path / "results", results)


def test_golden_clips_score_from_files_as_by_the_official_tool(goldens, tmp_path):
    golden, names = goldens("scorers"), ("clip0", "clip1", "clip2")
    benchmark = write_benchmark(tmp_path, {name: golden[f"davis_{name}_gt"] for name in names})
    results = write_results(tmp_path / "r", {name: golden[f"davis_{name}_pred"] for name in names})
    scores = score_results(benchmark, results, RULE)
    rows = {f"{row.sequence}_{row.id}": row.scores for row in scores.objects}
    assert list(rows) == golden["davis_objects"].tolist()
    for i, kind in enumerate("JF"):
        for j, (letter, name) in enumerate(zip("MRD", ("Mean", "Recall", "Decay"), strict=True)):
            expected = golden[f"davis_{kind}_{letter}"]
            np.testing.assert_array_equal([row[i][j] for row in rows.values()], expected)
            assert scores.summary[f"{kind}-{name}"] == pytest.approx(expected.mean(), abs=1e-12)
    mean = (golden["davis_J_M"].mean() + golden["davis_F_M"].mean()) / 2
    assert scores.summary["J&F-Mean"] == mean
    names = "J&F-Mean", "J-Mean", "J-Recall", "J-Decay", "F-Mean", "F-Recall", "F-Decay"
    assert tuple(scores.summary) == names


def test_processes_do_not_change_scores_nor_touch_devices(tree, monkeypatch):
    benchmark, results = tree
    expected = score_results(benchmark, results, RULE)
    methods, get_context = [], multiprocessing.get_context
    monkeypatch.setattr(
        multiprocessing, "get_context", lambda name: methods.append(name) or get_context(name)
    )
    # Importing JAX is free to a process; to ask for a device would now be an error.
    monkeypatch.setenv("JAX_PLATFORMS", "none_such")
    assert score_results(benchmark, results, RULE, num_processes=8) == expected
    assert methods == ["spawn"]


@pytest.mark.parametrize("folder", ["", "Annotations", "masks"])
def test_masks_are_found_where_people_put_them(tree, tmp_path, folder):
    benchmark, results = tree
    moved = tmp_path / "moved" / folder
    shutil.copytree(results, moved)
    (moved / "another_sequence").mkdir()
    shutil.copy(moved / "cat/00001.png", moved / "cat/00001_too_many.png")
    assert find_masks(tmp_path / "moved", benchmark) == moved
    expected = score_results(benchmark, results, RULE)
    assert score_results(benchmark, tmp_path / "moved", RULE) == expected


def test_the_fingerprint_of_results_is_that_of_their_bytes(tree, tmp_path):
    benchmark, results = tree
    first = fingerprint_results(results, benchmark)
    shutil.copytree(results, tmp_path / "copy/masks")
    (tmp_path / "copy/masks/cat/notes.txt").touch()
    assert fingerprint_results(tmp_path / "copy", benchmark) == first
    with (results / "cat/00003.png").open("ab") as file:
        file.write(b"\0")
    assert fingerprint_results(results, benchmark) != first


def test_binary_sets_take_whatever_is_not_0(tmp_path):
    truth, prediction = drifting(1, 5, (1,)), drifting(2, 5, (1,))
    benchmark = write_benchmark(tmp_path / "set", {"x": truth}, "davis2016", is_binary=True)
    one, white = (
        score_results(benchmark, write_results(tmp_path / str(value), {"x": ids}), RULE)
        for value, ids in ((1, prediction), (255, 255 * prediction))
    )
    assert one == white
    assert 0 < one.summary["J&F-Mean"] < 1


def test_truth_is_shrunk_as_the_benchmark_says(tree):
    benchmark, results = tree
    small = dataclasses.replace(benchmark, short_edge=18)
    words = r"cat/00001\.png: .* 18 x 24 .* truth, found 36 x 48"
    refuse(words, score_results, small, results, RULE)
    for path in results.rglob("*.png"):
        write_mask(path, read_values(path).ids[::2, ::2])
    assert 0 < score_results(small, results, RULE).summary["J&F-Mean"] < 1


def test_a_result_as_good_as_the_truth_scores_1_by_every_protocol(tmp_path):
    truth = {name: drifting(seed, 6, (1,), (90, 120)) for seed, name in enumerate(NAMES)}
    spans = {name: {1: tuple(range(6))} for name in NAMES}
    results = write_results(tmp_path / "r", truth)
    rules = set()
    benchmark = write_benchmark(tmp_path / "set", truth, spans=spans)
    for dataset in BENCHMARKS:
        scores = score_results(dataclasses.replace(benchmark, dataset=dataset), results, RULE)
        assert next(iter(scores.summary.values())) == 1
        assert [(row.sequence, row.id) for row in scores.objects] == [("cat", 1), ("dog", 1)]
        rules.add(scores.protocol)
    assert len(rules) == 9


def test_sequences_of_which_nothing_counts_are_said(tree):
    benchmark, results = tree
    cat, dog = benchmark.sequences
    short = dataclasses.replace(dog, truth={t: dog.truth[t] for t in (0, 1)})
    both, one = (dataclasses.replace(benchmark, sequences=s) for s in ((cat, short), (short,)))
    scores = score_results(both, results, RULE)
    assert {row.sequence for row in scores.objects} == {"cat"}
    assert "without dog" in scores.protocol
    refuse("frames of davis2017 val that count", score_results, one, results, RULE)


@pytest.mark.parametrize("dataset", ["lvos2", "youtube_vos2019"])
def test_names_of_the_list_of_unseen_ones_that_are_in_the_set(tree, dataset):
    benchmark, results = tree
    spans = dict.fromkeys((1, 2), tuple(range(5)))
    sequences = tuple(
        dataclasses.replace(s, spans=spans, categories=dict.fromkeys((1, 2), s.name))
        for s in benchmark.sequences
    )
    benchmark = dataclasses.replace(benchmark, dataset=dataset, sequences=sequences)
    rule = ScoringOptions(unseen=frozenset({"cat", "eel", "fox"}))
    scores = score_results(benchmark, results, rule)
    assert "1 of 3 names" in scores.protocol
    assert [row.is_unseen for row in scores.objects if row.id == 1] == [True, False]
    rule = ScoringOptions(unseen=frozenset({"eel", "fox"}))
    refuse(r"\(eel, fox\) .* found none among cat, dog", score_results, benchmark, results, rule)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: Image.new("RGB", (48, 36)).save(path), "found PNG of mode RGB"),
        (lambda path: Image.new("L", (40, 36)).save(path), "36 x 48 .* found 36 x 40"),
        (lambda path: Image.new("L", (48, 36), 3).save(path), "up to 2, .* cat, found 3"),
        (lambda path: path.unlink(), r"1 of the 5 masks .* 00000\.png, 00001\.png, 00003"),
    ],
)
def test_a_wrong_mask_is_named(tree, damage, message):
    damage(tree[1] / "cat/00002.png")
    refuse(rf"cat/00002\.png: expected .*{message}", score_results, *tree, RULE)


def test_missing_masks_are_named(tree):
    _, results = tree
    shutil.rmtree(results / "cat")
    refuse("results: expected .* 2 sequences .* for 1: cat", score_results, *tree, RULE)
    (results / "dog").rename(results / "out")
    refuse(r"results: expected .*\(cat, dog\) .*, found out", score_results, *tree, RULE)


@pytest.mark.parametrize(
    ("dataset", "frames", "message"),
    [("davis2017", (0,), "for 1: cat; .* server"), ("lvos1", (0, 1, 3), "frame 00002 of cat")],
)
def test_missing_truth_is_named(tree, dataset, frames, message):
    benchmark, results = tree
    cat, _ = benchmark.sequences
    truth = {t: cat.truth[t] for t in frames}
    cat = dataclasses.replace(cat, truth=truth, spans={2: (0, 1, 2, 3)})
    benchmark = dataclasses.replace(benchmark, dataset=dataset, sequences=(cat,))
    refuse(message, score_results, benchmark, results, RULE)
