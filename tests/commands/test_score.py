"""``python -m mavos_jax.commands.score`` and the files it leaves."""

import json
import math
import shutil

import numpy as np
import pytest
from evaluation.scored_trees import (
    drifting,
    lvos_name,
    lvos_spans,
    write_benchmark,
    write_results,
)
from PIL import Image

from mavos_jax.commands import score
from mavos_jax.datasets.protocol import ScoringOptions
from mavos_jax.evaluation.score_files import (
    describe_inputs,
    require_replaceable,
    write_scores,
)
from mavos_jax.evaluation.scoring import score_results

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
    benchmark, results, _ = tree
    paths = ["--results", str(results), "--root", str(benchmark.root)]
    score.main([*paths, "--dataset", "lvos2", "--split", "val", "--scoring_processes", "0", *words])
    return results


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
    run(tree, "--unseen", str(unseen), "--short-edge", "480", "--lvos-rule", "before-2024-05")
    (options,) = opened
    assert (options.dataset, options.split, options.root) == ("lvos2", "val", benchmark.root)
    assert (options.short_edge, options.resolution, options.sequences) == (480, "480p", ())

    rule = ScoringOptions(lvos="before-2024-05", unseen=frozenset({"bee"}))
    expected = score_results(benchmark, results, rule)
    stored = read(results / "scores.json")
    assert stored["objects"] == as_json(expected.objects)  # every number, unrounded
    assert stored["summary"] == expected.summary
    assert stored["benchmark"]["fingerprint"] == benchmark.fingerprint()
    provenance = stored["provenance"]
    assert provenance == describe_inputs(results, benchmark, rule)
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
    assert sorted(path.name for path in results.glob("*.csv")) == [
        "global_results-val.csv",
        "per-sequence_results-val.csv",
    ]


def test_real_trees_score_as_by_the_official_tools(goldens, tmp_path):
    golden, root = goldens("scorers"), tmp_path / "DAVIS"
    clips = ("clip0", "clip1", "clip2")
    for name in clips:
        truth = {name: golden[f"davis_{name}_gt"]}
        results = {name: golden[f"davis_{name}_pred"]}
        write_results(root / "Annotations/480p", truth)
        write_results(tmp_path / "davis_results", results)
        (root / "JPEGImages/480p" / name).mkdir(parents=True)
        for index in range(len(truth[name])):
            (root / f"JPEGImages/480p/{name}/{index:05d}.jpg").touch()
    (root / "ImageSets/2017").mkdir(parents=True)
    (root / "ImageSets/2017/val.txt").write_text("\n".join(clips))
    paths = ["--results", str(tmp_path / "davis_results"), "--root", str(root)]
    score.main([*paths, "--dataset", "davis2017", "--split", "val", "--scoring_processes", "0"])
    summary = read(tmp_path / "davis_results/scores.json")["summary"]
    for measure in "JF":
        for statistic in ("Mean", "Recall", "Decay"):
            expected = golden[f"davis_{measure}_{statistic[0]}"].mean()
            assert summary[f"{measure}-{statistic}"] == pytest.approx(expected, abs=1e-12)

    root, results = tmp_path / "LVOS", tmp_path / "lvos_results"
    for name in lvos_spans(golden):
        masks = [{name: golden[f"lvos_{name}_{kind}"]} for kind in ("gt", "pred")]
        write_results(root / "valid/Annotations", masks[0], lvos_name)
        write_results(results, masks[1], lvos_name)
        (root / "valid/JPEGImages" / name).mkdir(parents=True)
        for index in range(len(masks[0][name])):
            (root / f"valid/JPEGImages/{name}/{lvos_name(index)}.jpg").touch()
    (root / "valid_meta.json").write_text(str(golden["lvos_meta"]))
    (tmp_path / "unseen.txt").write_text("\n".join(golden["lvos_unseen"].tolist()))
    paths = ["--results", str(results), "--root", str(root)]
    words = ["--dataset", "lvos2", "--split", "val", "--unseen", str(tmp_path / "unseen.txt")]
    score.main([*paths, *words, "--scoring_processes", "0"])
    stored = read(results / "scores.json")
    by_object = [f"{row['sequence']}_{row['id']}" for row in stored["objects"]]
    assert by_object == golden["lvos_objects"].tolist()
    for measure in "JFV":
        for part in ("seen", "unseen"):
            expected = float(golden[f"lvos_{measure}_{part}_mean"])
            assert stored["summary"][f"{measure}_{part[0]}"] == pytest.approx(expected, abs=1e-12)
    assert stored["summary"]["J&F"] == pytest.approx(float(golden["lvos_JF_mean"]), abs=1e-12)


def test_output_elsewhere_leaves_the_results_alone(tree, tmp_path):
    results = run(tree, "--output", str(tmp_path / "new/out"))
    assert [path.name for path in results.iterdir()] == ["Annotations"]
    assert read(tmp_path / "new/out/scores.json")["rule"].startswith("LVOS")


def test_scores_are_computed_again_and_never_reused(tree):
    results = run(tree)
    file = results / "scores.json"
    first = file.read_text()
    file.write_text(first.replace('"J&F": 0', '"J&F": 1'))
    run(tree)  # of the same inputs
    assert file.read_text() == first

    path = results / "Annotations/ant/00003.png"
    Image.fromarray(np.zeros_like(Image.open(path))).save(path)
    with pytest.raises(ValueError, match="found a different results_fingerprint; choose another"):
        run(tree)
    with pytest.raises(ValueError, match="a different results_fingerprint and scoring_rule"):
        run(tree, "--official-decay")
    assert file.read_text() == first
    run(tree, "--overwrite")
    assert read(file)["summary"]["J&F"] < json.loads(first)["summary"]["J&F"]


def test_scores_of_another_benchmark_are_kept(tree, tmp_path):
    benchmark, results, _ = tree
    run(tree)
    other = write_benchmark(tmp_path / "other", {"ant": drifting(0, 6), "bee": drifting(1, 6)})
    inputs = describe_inputs(results, benchmark, ScoringOptions())
    require_replaceable(results, benchmark, inputs)
    with pytest.raises(ValueError, match=r"scores\.json: expected .* found a different benchmark;"):
        require_replaceable(results, other, inputs)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 2}', '{"format": 1}', "{"])
def test_a_file_that_is_no_scores_is_kept(tree, content):
    _, results, _ = tree
    (results / "scores.json").write_text(content)
    with pytest.raises(ValueError, match=r"scores\.json: expected .*remove it or overwrite it"):
        run(tree)
    assert (results / "scores.json").read_text() == content


def test_what_is_not_defined_survives_the_file(tree, tmp_path):
    benchmark, results, _ = tree
    scores = score_results(benchmark, results, ScoringOptions())
    region = scores.objects[0].scores.region._replace(decay=math.nan)
    row = scores.objects[0]._replace(scores=scores.objects[0].scores._replace(region=region))
    changed = scores._replace(objects=(row, *scores.objects[1:]), summary={"J-Decay": math.nan})
    write_scores(tmp_path, benchmark, changed._replace(summary={**scores.summary}), {"seed": 3})
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
        (["--over"], "--over"),
        (["--output", "/proc/none"], "/proc/none/scores.json: expected a path in a writable"),
    ],
)
def test_wrong_options_are_named(tree, words, message):
    with pytest.raises(ValueError, match=message):
        run(tree, *words)


def test_an_empty_list_and_results_elsewhere_are_named(tree, tmp_path):
    (tmp_path / "empty.txt").write_text("# nothing\n")
    with pytest.raises(ValueError, match=r"empty\.txt: expected names, .* found none"):
        run(tree, "--unseen", str(tmp_path / "empty.txt"))
    (tmp_path / "old.txt").write_bytes(b"b\xe4r")
    with pytest.raises(ValueError, match=r"old\.txt: expected a text in UTF-8, found other bytes"):
        run(tree, "--unseen", str(tmp_path / "old.txt"))
    shutil.rmtree(tree[1] / "Annotations")
    with pytest.raises(ValueError, match=r"results: expected folders of masks \(ant, bee\) in it"):
        run(tree)


def test_masks_of_no_frame_are_told(tree, capsys):
    results = tree[1]
    run(tree)
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
