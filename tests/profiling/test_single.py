"""The benchmark command measures and writes down what it measured."""

import json
import sys

import pytest

from mavos_jax.profiling import single
from mavos_jax.profiling.command import main
from mavos_jax.profiling.rounds import Timing


@pytest.fixture(autouse=True)
def _small_product(monkeypatch):
    monkeypatch.setattr(single, "_PRODUCT_SIZE", 64)


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
    assert "tiny, 33x49, 2 objects, float32" in capsys.readouterr().out
    assert result["software"]["command"].endswith(options)
    assert result["software"]["packages"]["jaxlib"]
    assert (result["device_kind"], result["num_devices"]) == ("cpu", 4)
    assert result["options"]["frames"] == 2


def test_timings_are_medians():
    assert Timing.of([5.0, 1.0, 2.0]) == (2.0, 1.0, 5.0)


@pytest.mark.parametrize(
    "option",
    [
        "--repeats 0",
        "--size 8 900",
        "--objects 0",
        "--objects 2 255",
        "--sizes 480",
        "--sizes 16x900",
        "--chunk_frames 0",
        "--video_frames 1",
        "--lengths 1",
        "--precisions float16",
        "--plot picture.png",
        "--lengths 70 --objects 2 10",
        "--lengths 70 --chunk_frames 8",
        "--lengths 70 --plot picture.gif",
    ],
)
def test_options_out_of_range(option):
    named = [word for word in option.split() if word.startswith("--")][-1]
    with pytest.raises(ValueError, match=named):
        main(["--config", "configs/tiny.py", *option.split()])


def test_a_missing_matplotlib_is_found_before_anything_is_measured(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    options = f"--config configs/tiny.py --lengths 70 --plot {tmp_path / 'lengths.svg'}"
    with pytest.raises(ValueError, match=r"expected matplotlib.*mavos_jax\[plot\]"):
        main(options.split())
