import re
import runpy
import sys
import zipfile

import numpy as np
import pytest
from benchmark_trees import write_benchmark_tree
from refusals import refuse

from mavos_jax.commands import submit
from mavos_jax.datasets import open_benchmark
from mavos_jax.evaluation.reading import mask_path
from mavos_jax.media.masks import write_mask
from mavos_jax.media.pictures import read_frame_header


@pytest.fixture
def tree(tmp_path):
    return write_set(tmp_path, "youtube_vos2019", "valid")


def write_set(tmp_path, dataset, split):
    """Options that open a set, and its results, which are empty."""
    options = write_benchmark_tree(tmp_path / "set", dataset, split=split)
    for sequence in open_benchmark(options).sequences:
        for index in sequence.saved:
            path = mask_path(tmp_path / "results", sequence, index)
            write_mask(path, np.zeros(read_frame_header(sequence.frames[0]).size, np.uint8))
    words = ["--dataset", dataset, "--split", split, "--root", str(options.root)]
    return words, tmp_path / "results"


def test_the_command_packs_and_checks(tree, tmp_path, capsys):
    words, results = tree
    output = tmp_path / "out/x.zip"
    submit.main([*words, "--results", str(results), "--output", str(output)])
    first, second = capsys.readouterr().out.splitlines()
    size = f"{output.stat().st_size / 1e6:.1f} MB"
    assert first.startswith(f"{output}: 3 sequences, 18 frames, {size}, ")
    assert "youtube_vos2019 valid" in second
    assert "https://youtube-vos.org" in second
    submit.main([*words, "--check", str(output)])
    assert capsys.readouterr().out.splitlines() == [f"{output}: no problem found", second]


def test_an_existing_file_is_replaced_on_request_alone(tree, tmp_path):
    words, results = tree
    output = tmp_path / "x.zip"
    output.write_text("old")
    command = [*words, "--results", str(results), "--output", str(output)]
    refuse(r"x\.zip: expected a new file, found that it exists", submit.main, command)
    assert output.read_text() == "old"
    submit.main([*command, "--overwrite"])
    assert zipfile.is_zipfile(output)


def test_problems_are_printed_before_the_error(tree, tmp_path, capsys, monkeypatch):
    words, _ = tree
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("Annotations/bear/00002.png", b"")
    monkeypatch.setattr(sys, "argv", ["submit", *words, "--check", str(tmp_path / "x.zip")])
    monkeypatch.delitem(sys.modules, submit.__name__)
    with pytest.raises(SystemExit) as end:
        runpy.run_module(submit.__name__, run_name="__main__", alter_sys=True)
    assert end.value.code == 2
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 4  # two of the sequence bear, and one of each other
    assert re.fullmatch(f"error: {tmp_path}/x.zip: expected .*, found 4 problems.*\n", err)


@pytest.mark.parametrize(
    ("dataset", "split", "place"),
    [
        ("davis2017", "test-dev", "https://davischallenge"),
        ("davis2017", "val", "python -m mavos_jax.commands.score"),
        ("mose", "valid", "https://mose.video"),
    ],
)
def test_the_right_server_is_named(tmp_path, capsys, dataset, split, place):
    words, results = write_set(tmp_path, dataset, split)
    submit.main([*words, "--results", str(results), "--output", str(tmp_path / "x.zip")])
    assert re.search(f"{dataset} {split}.* {place}", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "--results DIR or --check ZIP, found neither"),
        (["--results", "r", "--check", "x.zip"], "--results DIR or --check ZIP, found both"),
        (["--check", "x.zip", "--masks_root", "{}"], "masks_root: .*youtube_vos2019"),
        (["--results", "r"], r"expected --output FILE\.zip with --results, found none"),
        (["--results", "r", "--output", "x.tar"], r"x\.tar: expected a name that ends in \.zip"),
        (["--results", "r", "--output", "{}/d.zip"], r"d\.zip: expected a file, found a folder"),
        (["--results", "r", "--output", "/proc/no/x.zip"], "expected a path in a writable folder"),
        (["--results", "{}", "--output", "{}/x.zip"], "expected folders of masks"),
        (["--check", "none.zip"], r"none\.zip: expected a submission .* found 1 problem, listed"),
    ],
)
def test_wrong_options_are_named(tree, tmp_path, words, message):
    (tmp_path / "empty/d.zip").mkdir(parents=True)
    words = [word.format(tmp_path / "empty") for word in words]
    refuse(message, submit.main, [*tree[0], *words])
