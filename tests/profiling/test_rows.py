import json

import pytest
from refusals import refuse

from mavos_jax.profiling import __main__, lengths, training


def measure(folder, options):
    (folder / "small.py").write_text("from small_configs import MOBILENET as config\n")
    words = f"--config {folder / 'small.py'} --sizes 33x49 --json {folder / 'rows.json'} {options}"
    __main__.main(words.split())
    return json.loads((folder / "rows.json").read_text())


def test_by_default_a_frame_in_the_scan_is_timed(tmp_path, capsys):
    report = measure(tmp_path, "--repeats 2 --frames 2 --chunk_frames 2")
    (row,) = report["rows"]
    assert (row["network"], row["size"], row["objects"]) == ("small_mobilenet", "33x49", 2)
    for median, lowest, highest in (row["frame_ms"], row["frame_with_write_ms"]):
        assert 0 < lowest <= median <= highest
    assert row["program_MB"] >= row["temporary_MB"] > 0
    assert row["carried_MB"] > 0
    assert row["aot_FPS"] is None
    assert report["options"]["frames"] == 2
    assert report["software"]["packages"]["jaxlib"]
    output = capsys.readouterr()
    titles, line = output.out.splitlines()
    assert titles.split()[:4] == ["network", "size", "objects", "precision"]
    assert line.split()[:4] == ["small_mobilenet", "33x49", "2", "float32"]
    started, *_, last = output.err.splitlines()
    assert "small_mobilenet" in started
    assert last.startswith("round 2 of 2")


@pytest.mark.campaign
def test_every_combination_is_a_row(tmp_path):
    options = "--repeats 1 --frames 2 --video_frames 3 --chunk_frames 1 2 --videos 1 3"
    protocols = "--measure frame aot xmem end-to-end"
    rows = measure(tmp_path, f"{options} {protocols} --precisions float32 tf32")["rows"]
    assert all((row["size"], row["precision"]) == ("33x49", "float32") for row in rows)
    found = {(row["chunk_frames"], row["videos"]): row for row in rows}
    assert list(found) == [(1, 1), (1, 3), (2, 1), (2, 3)]
    for chunk_frames in (1, 2):
        one, three = found[chunk_frames, 1], found[chunk_frames, 3]
        for protocol in ("aot_FPS", "xmem_FPS", "end-to-end_FPS"):
            median, lowest, highest = one[protocol]
            assert 0 < lowest <= median <= highest
            assert three[protocol] is None
        assert three["scan_FPS"] > 0
        assert three["carried_MB"] > 2.9 * one["carried_MB"]


WRONG = {
    __main__: [
        *("--repeats 0", "--objects 0", "--objects 2 255", "--sizes 480", "--sizes 16x900"),
        *("--chunk_frames 0", "--video_frames 1", "--precisions float16", "--measure parts"),
        "--json /proc/rows.json",
    ],
    lengths: ["--lengths 1", "--objects 0", "--size 480", "--repeats 0", "--plot lengths.gif"],
    training: ["--batches 0", "--repeats 0", "--loader_seconds -1", "--json /proc/rows.json"],
}


@pytest.mark.parametrize(
    ("module", "option"), [(module, x) for module, options in WRONG.items() for x in options]
)
def test_options_out_of_range(module, option):
    name, *values = option.split()
    named = values[-1] if name == "--json" else name
    refuse(named, module.main, ["--config", "configs/tiny.py", name, *values])
