"""The script on trees of every layout, with the packaged weights or a stand-in."""

import json
import re
import zipfile

import numpy as np
import pytest
from benchmark_trees import write_benchmark_tree
from PIL import Image
from programs import Program

import evaluate
from mavos_jax.datasets import BENCHMARKS, open_benchmark
from mavos_jax.evaluation.results_json import encode_rle
from mavos_jax.media.masks import write_mask

run = Program(evaluate.main)
QUICK = ("--num_devices", "1", "--scoring_processes", "0", "--report_frames", "4")


def options_of(tree):
    return ("--dataset", tree.dataset, "--split", tree.split, "--root", tree.root)


@pytest.fixture
def tree(tmp_path):
    return write_benchmark_tree(tmp_path / "tree", "davis2017")


@pytest.fixture
def words(tree, tmp_path):
    return (*options_of(tree), "--output", tmp_path / "out", *QUICK)


@pytest.mark.parametrize("dataset", BENCHMARKS)
def test_every_layout_from_the_tree_to_the_report(dataset, copying, tmp_path, capsys):
    is_hidden = dataset in ("mose", "mosev2")
    split = "train" if dataset.startswith("youtube") else None
    tree = write_benchmark_tree(tmp_path / "tree", dataset, split=split)
    output = tmp_path / "out"
    run(*options_of(tree), "--output", output, *QUICK)
    benchmark = open_benchmark(tree)
    for sequence in benchmark.sequences:
        written = sorted(path.stem for path in (output / "masks" / sequence.name).iterdir())
        assert written == sorted(sequence.frame_name(index) for index in sequence.saved)
    said = capsys.readouterr().out
    assert f"{len(benchmark.sequences)} of {len(benchmark.sequences)} sequences" in said
    with zipfile.ZipFile(output / f"{dataset}-{tree.split}.zip") as archive:
        assert len(archive.namelist()) == sum(len(s.saved) for s in benchmark.sequences)
    assert "</html>" in (output / "report.html").read_text()
    assert benchmark.has_truth != is_hidden
    if is_hidden:
        assert not (output / "scores.json").exists()
        return
    stored = json.loads((output / "scores.json").read_text())
    assert all(0 <= value <= 1 for name, value in stored["summary"].items() if "Decay" not in name)
    assert stored["provenance"]["speeds"]["end-to-end"]["all_frames"] > 0
    assert (output / f"global_results-{tree.split}.csv").is_file()


def test_a_list_of_another_set_is_refused_at_the_start(tmp_path, capsys):
    tree = write_benchmark_tree(tmp_path / "tree", "lvos2")
    (tmp_path / "unseen.txt").write_text("x\n")
    words = (*options_of(tree), "--unseen", tmp_path / "unseen.txt", "--output", tmp_path / "out")
    assert "list of unseen ones (x) in the set, found none among" in run.fail(capsys, *words)
    assert not (tmp_path / "out").exists()


def test_first_and_last_masks_alone_are_not_scored(copying, tmp_path, capsys):
    tree = write_benchmark_tree(tmp_path / "tree", "long_time_video")
    for sequence in open_benchmark(tree).sequences:
        for _, path in sorted(sequence.truth.items())[1:-1]:
            path.unlink()
    run(*options_of(tree), "--output", tmp_path / "out", *QUICK)
    assert "not scored: no frame with a true mask counts" in capsys.readouterr().out
    assert (tmp_path / "out/report.html").exists()


def test_a_finished_run_is_kept_and_another_one_refused(copying, words, tmp_path, capsys):
    run(*words)
    (tmp_path / "tree/JPEGImages/480p/bear/notes.txt").touch()
    masks = {path: path.stat().st_mtime_ns for path in tmp_path.glob("out/masks/*/*")}
    capsys.readouterr()
    run(*words, "--rle")
    for record in json.loads((tmp_path / "out" / "results.json").read_text()):
        frames = sorted((tmp_path / "out" / "masks" / record["video"]).iterdir())
        for path, entry in zip(frames, record["segmentations"], strict=True):
            mask = np.asarray(Image.open(path)) == record["object_id"]
            assert (entry["counts"] == encode_rle(mask)) if entry else not mask.any()
    said = capsys.readouterr().out
    assert "0 of 3 sequences to segment" in said
    assert "480p/bear/notes.txt" in said
    assert masks == {path: path.stat().st_mtime_ns for path in tmp_path.glob("out/masks/*/*")}
    assert "found that flip differ" in run.fail(capsys, *words, "--flip")
    assert "found that sequences differ" in run.fail(capsys, *words, "--sequences", "bear")
    assert "found that soft_masks differ" in run.fail(capsys, *words, "--soft_masks")
    run(*words, "--flip", "--overwrite", "--time_frames", "--soft_masks")
    assert not (tmp_path / "out" / "results.json").exists()
    for mask in masks:
        ids = np.asarray(Image.open(mask))
        for number in set(np.unique(ids)) - {0}:
            soft = tmp_path / "out/soft" / mask.parent.name / str(number) / mask.name
            np.testing.assert_array_equal(Image.open(soft), 255 * (ids == number))
    run(*words, "--overwrite")
    assert not [*tmp_path.glob("out/soft/*")]
    said = capsys.readouterr().out
    assert re.search(r"aot: \d+\.\d\d over all frames", said)
    assert "xmem" in said
    truth = sorted(tmp_path.glob("tree/Annotations/480p/*/*.png"))[-2]
    truth.write_bytes(truth.read_bytes()[:60])
    assert str(truth) in run.fail(capsys, *words, "--overwrite")
    assert all(mask.exists() for mask in masks)  # a damaged truth costs no results


def test_check_data_names_every_fault(tree, capsys):
    run(*options_of(tree), "--check_data")
    assert "nothing is missing" in capsys.readouterr().out
    path = open_benchmark(tree).sequences[1].given[0].path
    write_mask(path, np.zeros((10, 10), np.uint8))
    with pytest.raises(SystemExit) as end:
        run(*options_of(tree), "--check_data")
    assert end.value.code == 2
    output = capsys.readouterr()
    assert str(path) in output.out
    assert "expected a sound tree" in output.err


def test_a_wrong_mask_shows_before_any_work(tree, words, tmp_path, capsys):
    path = open_benchmark(tree).sequences[-1].given[0].path
    Image.new("RGB", (10, 10)).save(path)
    assert str(path) in run.fail(capsys, *words)
    assert not (tmp_path / "out").exists()


def test_a_damaged_frame_keeps_finished_sequences(copying, tree, words, tmp_path, capsys):
    damaged = open_benchmark(tree).sequences[-1].frames[3]
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-40])
    assert str(damaged) in run.fail(capsys, *words)
    records = [json.loads(path.read_text()) for path in (tmp_path / "out/sequences").iterdir()]
    num_finished = sum("name" in record for record in records)  # others have only begun
    assert 1 <= num_finished <= 2
    damaged.write_bytes(whole)
    run(*words)
    assert f"{3 - num_finished} of 3 sequences to segment" in capsys.readouterr().out
