"""The benchmark command measures and writes down what it measured."""

import json

import pytest

from mavos_jax.benchmark import Timing, main


def test_a_benchmark_reports_its_measurements(tmp_path, capsys):
    file = tmp_path / "result.json"
    options = f"--config configs/tiny.py --size 33 49 --repeats 2 --frames 2 --json {file}"
    main(options.split())
    result = json.loads(file.read_text())
    frame, lowest, highest = result["frame_ms"]
    rate = result["product_gflops"][0]
    assert 0 < lowest <= frame <= highest
    assert result["frame_ms_scaled"] == pytest.approx(frame * rate / 210)
    assert result["carry_mb"] > 0
    assert result["temporary_mb"] > 0
    assert "tiny, 33x49, 2 objects" in capsys.readouterr().out


def test_timings_are_medians():
    assert Timing.of([5.0, 1.0, 2.0]) == (2.0, 1.0, 5.0)


@pytest.mark.parametrize("option", ["--repeats 0", "--size 8 900", "--objects 0"])
def test_options_out_of_range(option):
    with pytest.raises((ValueError, SystemExit)):
        main(["--config", "configs/tiny.py", *option.split()])
