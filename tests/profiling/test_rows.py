"""Rows of parts and protocols."""

import json

import pytest

from mavos_jax.profiling import ceilings
from mavos_jax.profiling.command import main

CONFIG = "from small_configs import MOBILENET as config\n"

pytestmark = pytest.mark.campaign


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("benchmark")
    (folder / "small.py").write_text(CONFIG)
    options = (
        f"--config {folder / 'small.py'} --sizes 33x49 --repeats 2 --frames 2 --video_frames 3 "
        f"--chunk_frames 1 2 --videos 1 3 --precisions float32 tf32 --json {folder / 'rows.json'}"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ceilings, "_ROWS", {"cpu": 64})
        patch.setattr(ceilings, "_COPY_BYTES", 2**16)
        main(options.split())
    return json.loads((folder / "rows.json").read_text())


def test_every_combination_is_a_row(report):
    assert all((row["size"], row["precision"]) == ([33, 49], "float32") for row in report["rows"])
    settings = [(row["chunk_frames"], row["videos"]) for row in report["rows"]]
    assert settings == [(1, 1), (1, 3), (2, 1), (2, 3)]
    assert report["notes"] == ["tf32 left out: on a CPU it equals float32"]


@pytest.fixture(scope="module")
def single(report):
    """The rows of one video."""
    return [row for row in report["rows"] if row["videos"] == 1]


def test_several_videos_are_a_scan_alone(report, single):
    for row in report["rows"]:
        assert row["scan_fps"] > 0
        if row not in single:
            assert row["fps"] == {}
            assert row["roofline"] is None
            alone = next(one for one in single if one["chunk_frames"] == row["chunk_frames"])
            assert row["carry_bytes"] > 2.9 * alone["carry_bytes"]
            assert row["cost"]["flops"] == pytest.approx(3 * alone["cost"]["flops"], rel=0.01)


def test_every_protocol_is_named(single):
    for row in single:
        assert list(row["fps"]) == ["aot", "xmem", "end-to-end"]
        for median, lowest, highest in row["fps"].values():
            assert 0 < lowest <= median <= highest


def test_a_frame_has_its_parts(report):
    names = [part["name"] for part in report["parts"] if not part["is_inside_another"]]
    assert names == [
        "resize, normalise",
        "encoder",
        "propagation",
        "decoder",
        "upsampling, argmax",
        "identification",
        "remember",
        "memory write (mca)",
    ]
    inner = [part["name"] for part in report["parts"] if part["is_inside_another"]]
    blocks = [f"block_{i} {kind}" for i in range(2) for kind in ("long-term", "short-term", "self")]
    assert inner == blocks


def test_the_parts_do_the_work_of_the_frame(report, single):
    flops = {part["name"]: part["cost"]["flops"] for part in report["parts"]}
    for row in single:
        frame = row["frame_flops"] + flops["memory write (mca)"]
        assert row["cost"]["flops"] == pytest.approx(row["chunk_frames"] * frame)
        assert sum(row["frame_s"]) > 0
        assert row["roofline"] > 0


def test_programs_are_analysed(report):
    for found in (*report["rows"], *report["parts"]):
        cost = found["cost"]
        assert cost["total_bytes"] >= cost["temporary_bytes"]
        assert cost["total_bytes"] > 0
        assert cost["compilation_s"] > 0
        assert cost["xla_accessed_bytes"] <= cost["accessed_bytes"]


def test_what_was_not_asked_for_is_left_out(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(ceilings, "_ROWS", {"cpu": 64})
    monkeypatch.setattr(ceilings, "_COPY_BYTES", 2**16)
    (tmp_path / "small.py").write_text(CONFIG)
    options = f"--config {tmp_path / 'small.py'} --size 33 49 --objects 1 2 --repeats 1"
    main([*options.split(), "--video_frames", "3", "--measure", "aot"])
    lines = capsys.readouterr().out.splitlines()
    about = ["network", "size", "objects", "precision", "chunk", "videos"]
    titles = [*about, "FPS", "aot", "FPS", "xmem"]
    assert lines[0].split() == titles
    assert [line.split()[:3] for line in lines[1:3]] == [
        ["small_mobilenet", "33x49", "1"],
        ["small_mobilenet", "33x49", "2"],
    ]
    assert "parts of" not in "\n".join(lines)
