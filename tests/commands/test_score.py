import json
import math
import shutil

import numpy as np
import pytest
from evaluation.scored_trees import drifting, write_benchmark, write_results
from PIL import Image
from refusals import refuse

from mavos_jax.commands import score
from mavos_jax.datasets.protocol import ScoringOptions
from mavos_jax.evaluation import scoring

SPANS = {name: {1: tuple(range(6)), 2: tuple(range(2, 6))} for name in ("ant", "bee")}


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """Benchmark, results, and the options with which the command opened the former."""
    truth = {name: drifting(seed, 6) for seed, name in enumerate(SPANS)}
    benchmark = write_benchmark(tmp_path / "set", truth, "lvos2", spans=SPANS)
    predictions = {name: drifting(seed + 5, 6) for seed, name in enumerate(SPANS)}
    results = write_results(tmp_path / "results/Annotations", predictions).parent
    opened = []
    monkeypatch.setattr(score, "open_benchmark", lambda o: opened.append(o) or benchmark)
    return benchmark, results, opened


def run(tree, *words):
    """Runs the command; returns the file of scores, which is beside the results."""
    benchmark, results, _ = tree
    paths = ["--results", results, "--root", benchmark.root, "--dataset", "lvos2", "--split", "val"]
    score.main([*map(str, paths), "--scoring_processes", "0", *words])
    return results / "scores.json"


def read(path):
    return json.loads(path.read_text(), parse_constant=pytest.fail)


def as_json(objects):
    rows = []
    for row in objects:
        scores = {measure: values._asdict() for measure, values in row.scores._asdict().items()}
        rows.append(row._asdict() | {"scores": scores})
    return json.loads(json.dumps(rows))


def test_the_command_prints_and_writes_scores(tree, tmp_path, capsys):
    benchmark, results, opened = tree
    unseen = tmp_path / "unseen.txt"
    unseen.write_text("\n# videos\nbee\n\n")
    words = "--short-edge", "480", "--lvos-rule", "before-2024-05"
    stored = read(run(tree, "--unseen", str(unseen), *words))
    (options,) = opened
    assert (options.dataset, options.split, options.root) == ("lvos2", "val", benchmark.root)
    assert (options.short_edge, options.resolution, options.sequences) == (480, "480p", ())

    rule = ScoringOptions(lvos="before-2024-05", unseen=frozenset({"bee"}))
    expected = scoring.score_results(benchmark, results, rule)
    assert stored["objects"] == as_json(expected.objects)  # every number, unrounded
    assert stored["summary"] == expected.summary
    assert stored["benchmark"]["fingerprint"] == benchmark.fingerprint()
    provenance = stored["provenance"]
    assert provenance == scoring.describe_inputs(results, benchmark, rule)
    assert provenance["scoring_rule"] == {
        **{"lvos": "before-2024-05", "unseen": ["bee"]},
        **{"official_decay": False, "long_time_video": "davis"},
    }
    assert len(provenance["code"]["scorers"]) == 16
    printed = capsys.readouterr().out
    assert f"lvos2 val: {expected.protocol}\n" in printed
    header, values = printed.split(f"{expected.protocol}\n")[1].splitlines()[:2]
    by_name = dict(zip(header.split(), values.split(), strict=True))
    assert by_name["J&F-Mean"] == f"{expected.summary['J&F']:.3f}"
    assert "ant_2" in printed
    tables = {"global_results-val.csv", "per-sequence_results-val.csv"}
    assert {path.name for path in results.glob("*.csv")} == tables


def test_output_elsewhere_leaves_the_results_alone(tree, tmp_path):
    run(tree, "--output", str(tmp_path / "new/out"))
    assert [path.name for path in tree[1].iterdir()] == ["Annotations"]
    assert read(tmp_path / "new/out/scores.json")["rule"].startswith("LVOS")


def test_scores_are_computed_again_and_never_reused(tree, tmp_path):
    benchmark, results, _ = tree
    table = results / "global_results-val.csv"  # as the official tool names it
    table.touch()
    refuse("global_results-val.csv: expected no scores, found a table without", run, tree)
    table.unlink()
    file = run(tree)
    other = write_benchmark(tmp_path / "other", {"ant": drifting(0, 6), "bee": drifting(1, 6)})
    inputs = scoring.describe_inputs(results, benchmark, ScoringOptions())
    message = r"scores\.json: expected .* found a different benchmark;"
    refuse(message, scoring.require_replaceable, results, other, inputs)
    first = file.read_text()
    file.write_text(first.replace('"J&F": 0', '"J&F": 1'))
    run(tree)  # of the same inputs
    assert file.read_text() == first

    path = file.parent / "Annotations/ant/00003.png"
    Image.fromarray(np.zeros_like(Image.open(path))).save(path)
    refuse("found a different results_fingerprint; choose another", run, tree)
    refuse("a different results_fingerprint and scoring_rule", run, tree, "--official-decay")
    assert file.read_text() == first
    run(tree, "--overwrite")
    assert read(file)["summary"]["J&F"] < json.loads(first)["summary"]["J&F"]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 2}', '{"format": 1}', "{"])
def test_a_file_that_is_no_scores_is_kept(tree, content):
    _, results, _ = tree
    (results / "scores.json").write_text(content)
    refuse(r"scores\.json: expected .*remove it or overwrite it", run, tree)
    assert (results / "scores.json").read_text() == content


def test_what_is_not_defined_survives_the_file(tree, tmp_path):
    benchmark, results, _ = tree
    scores = scoring.score_results(benchmark, results, ScoringOptions())
    first = scores.objects[0]
    region = first.scores.region._replace(decay=math.nan)
    row = first._replace(scores=first.scores._replace(region=region))
    changed = scores._replace(objects=(row, *scores.objects[1:]))
    scoring.write_scores(tmp_path, benchmark, changed, {"seed": 3})
    stored = read(tmp_path / "scores.json")
    assert stored["objects"][0]["scores"]["region"]["decay"] is None
    assert stored["objects"][1:] == as_json(scores.objects[1:])
    assert stored["provenance"] == {"seed": 3}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--scoring_processes", "-1"], "--scoring_processes: expected at least 0, found -1"),
        (["--short-edge", "0"], "--short_edge: expected at least 32, found 0"),
        (["--lvos-rule", "2023"], "2023.*--lvos_rule"),
        (["--unseen", "no.txt"], "no.txt: expected a list"),
        (["--output", "/proc/none"], "/proc/none/scores.json: expected a path in a writable"),
    ],
)
def test_wrong_options_are_named(tree, words, message):
    refuse(message, run, tree, *words)


def test_masks_of_no_frame_are_told(tree, capsys):
    results = run(tree).parent
    assert "not scored" not in capsys.readouterr().out
    first = sorted((results / "Annotations/ant").iterdir())[0]
    shutil.copy(first, first.with_name("00099.png"))
    shutil.copytree(first.parent, first.parents[1] / "bug")
    run(tree, "--overwrite")
    line, *_ = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{results}: not scored, of no frame or sequence of lvos2 val: ")
    assert line.endswith(": ant/00099.png, bug")
    run(tree, "--overwrite", "--sequences", "ant", "bee")
    assert capsys.readouterr().out.splitlines()[0].endswith("ant/00099.png")
