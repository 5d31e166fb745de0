import json
import sys

import pytest
from refusals import refuse
from small_configs import BANK, MOBILENET, vary

from mavos_jax.profiling import lengths
from mavos_jax.profiling.lengths import Arguments, draw_lengths, main, measure_lengths, unbounded
from mavos_jax.profiling.measuring import Timing
from mavos_jax.profiling.protocols import Job, Outcome, run_in_own_process
from mavos_jax.profiling.workload import Contender, Setting

SETTING = Setting((33, 49), 2, "float32")


def point(network, num_frames, fps):
    speed, memory = Timing(fps, fps - 1, fps + 1), Timing(2e3, 2e3, 2e3)
    figures = {"aot_FPS": speed, "memory": "peak memory", "memory_MB": memory}
    return {"network": network, "frames": num_frames, "failure": None, **figures}


def test_an_unbounded_bank_has_room_for_every_write():
    every_five = vary(BANK, memory={"gap": 5, "capacity": 3})
    # Frames 5, 10, ..., 65 of 0 to 69 are written beside the reference.
    memory = unbounded(every_five, 70).memory
    assert (memory.capacity, memory.grows) == (14, True)
    assert unbounded(every_five, 71).memory.capacity == 15
    assert unbounded(MOBILENET, 70) is MOBILENET


def test_networks_and_lengths_take_turns(tmp_path, monkeypatch, capsys):
    calls = []

    def run(job):
        calls.append((job.network.experiment.name, job.num_frames, job.gap))
        if job.network.experiment.name == "small_bank" and job.num_frames == 900:
            return "out of memory"
        return Outcome({"aot": 10.0, "xmem": 9.0}, ("peak device memory", 1_000_000))

    monkeypatch.setattr(lengths, "run_in_own_process", run)
    for name in ("MOBILENET", "BANK"):
        (tmp_path / f"{name}.py").write_text(f"from small_configs import {name} as config\n")
    file = tmp_path / "lengths.json"
    configs = f"--config {tmp_path / 'MOBILENET.py'} --against {tmp_path / 'BANK.py'}"
    main(f"{configs} --lengths 70 900 --repeats 2 --json {file}".split())
    # What compiles the programs writes after every frame: the bank has room for 7 frames.
    assert calls[:2] == [("small_mobilenet", 4, 1), ("small_bank", 9, 1)]
    turn = [("small_mobilenet", 70), ("small_bank", 70), ("small_mobilenet", 900)]
    assert [call[:2] for call in calls[4:]] == [*turn, ("small_bank", 900), *turn]
    points = json.loads(file.read_text())["lengths"]
    found = [(point["bank_frames"], point["failure"]) for point in points]
    assert found == [(None, None), (7, None), (None, None), (90, "out of memory")]
    assert (points[0]["memory_MB"], points[0]["aot_FPS"]) == ([1, 1, 1], [10, 10, 10])
    assert points[3]["aot_FPS"] is None
    assert "out of memory" in capsys.readouterr().out


@pytest.mark.campaign
def test_a_video_runs_in_its_own_process():
    outcome = run_in_own_process(Job(Contender(MOBILENET), SETTING, 3))
    assert isinstance(outcome, Outcome)
    assert outcome.memory[0] == "peak resident memory"
    assert outcome.memory[1] > 1e7
    assert min(outcome.fps.values()) > 0


def test_other_failures_of_the_process_are_not_taken_for_memory():
    with pytest.raises(RuntimeError, match="ended with"):
        run_in_own_process(Job(Contender(MOBILENET), SETTING._replace(size=(0, 0)), 3))


def test_the_configured_bank_is_kept(monkeypatch):
    monkeypatch.setattr(lengths, "run_in_own_process", lambda job: seen.append(job) or "failed")
    seen, arguments = [], Arguments(lengths=(70,), bank="configured", repeats=1)
    (found,) = measure_lengths([Contender(BANK)], arguments)
    assert [job.network.experiment.memory for job in seen] == [BANK.memory]
    assert found["bank_frames"] == BANK.memory.capacity


def test_the_picture_names_the_networks(tmp_path):
    pytest.importorskip("matplotlib")
    points = [point("one", 70, 20.0), point("one", 500, 19.0), point("other", 70, 10.0)]
    for name in ("lengths.svg", "lengths.png"):
        draw_lengths(points, tmp_path / name)
    assert "<!-- other -->" in (tmp_path / "lengths.svg").read_text()
    assert (tmp_path / "lengths.png").stat().st_size > 10_000


def test_a_missing_matplotlib_is_found_before_anything_is_measured(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    words = ["--config", "configs/tiny.py", "--plot", str(tmp_path / "lengths.svg")]
    refuse(r"--plot: .*mavos_jax\[plot\]", main, words)
