import os
import signal
import time

import jax
import pytest
from jax.experimental import multihost_utils
from training.device_campaign import free_address
from training.stand_in import changed, complaints, parameters, same, start

from mavos_jax.checkpoints.description import steps_in
from mavos_jax.conversion.convert import to_state_dict
from mavos_jax.conversion.weight_files import write_weight_file
from mavos_jax.models.mavos import build_model, init_variables
from mavos_jax.training.processes import StopRequest

CONFIG = changed(steps=100, save_every=1000)


def start_together(folder, count, *last, **options):
    """Starts processes of one run; ``last`` are further words for the last of them."""
    words = "--coordinator", free_address(), "--num_processes", str(count), "--process_id"
    further = [()] * (count - 1) + [last]
    return [start(folder, *words, str(i), *own, **options) for i, own in enumerate(further)]


def wait_for_lines(process, folder, number):
    file = folder / "run" / "metrics.jsonl"
    while not file.exists() or file.read_bytes().count(b"\n") < number:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_saves_and_ends(tmp_path, run, number, code):
    process = start(tmp_path, seconds=0.2, config=CONFIG)
    wait_for_lines(process, tmp_path, 2)
    process.send_signal(number)
    output, errors = process.communicate(timeout=300)
    assert process.returncode == code, errors
    assert complaints(errors) == (["interrupted"] if code else [])
    (step,) = steps_in(tmp_path / "run" / "checkpoints")
    assert 2 <= step < 100
    assert f"stopped by {number.name} after step {step}" in output
    if number == signal.SIGTERM:
        run(CONFIG, tmp_path / "run")
        run(CONFIG, tmp_path / "whole")
        assert same(parameters(tmp_path / "run"), parameters(tmp_path / "whole"))


def test_a_second_interruption_ends_at_once_and_the_handler_is_put_back():
    before = signal.getsignal(signal.SIGINT)
    with StopRequest() as stop:
        assert not stop.reached(3)
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.reached(4)
        assert stop.reason == "SIGINT"
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_request_before_a_resumed_runs_first_step_counts(monkeypatch):
    monkeypatch.setattr(jax.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(multihost_utils, "reached_preemption_sync_point", (1).__eq__)  # as JAX does
    assert StopRequest().reached(5000)


def test_processes_stop_together(tmp_path):
    weights = tmp_path / "weights.npz"  # PyTorch's, which every process reads
    variables = init_variables(build_model(CONFIG), 9)
    write_weight_file(weights, to_state_dict(CONFIG, variables))
    config = changed(steps=400, save_every=1000, start=str(weights))
    processes = start_together(tmp_path, 2, seconds=0.05, config=config)
    wait_for_lines(processes[0], tmp_path, 2)
    processes[-1].send_signal(signal.SIGTERM)
    outputs = [process.communicate(timeout=300) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert "recognised: " in outputs[0][0]
    (step,) = steps_in(tmp_path / "run" / "checkpoints")
    assert f"stopped by SIGTERM after step {step}" in outputs[0][0]
    assert 2 <= step < 400


def test_a_notice_to_the_whole_group_spares_the_loader(tmp_path):
    config = changed({"workers": 2}, steps=400, save_every=1000)
    process = start(tmp_path, seconds=0.05, config=config, start_new_session=True)
    wait_for_lines(process, tmp_path, 2)
    os.killpg(process.pid, signal.SIGUSR1)
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert complaints(errors) == []
    assert "stopped by SIGUSR1 after step" in output


def test_a_process_that_fails_does_not_wait_for_the_others(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").touch()  # process 0 alone looks
    processes = start_together(tmp_path, 2)
    (_, errors), _ = (process.communicate(timeout=300) for process in processes)
    assert processes[0].returncode == 2
    assert "expected an empty folder or that of a run, found thesis.tex" in errors
    assert processes[1].returncode != 0


def test_processes_with_other_options_all_say_so(tmp_path):
    processes = start_together(tmp_path, 2, "--training.seed", "1")
    errors = [process.communicate(timeout=300)[1] for process in processes]
    assert [process.returncode for process in processes] == [2, 2], errors
    for error in errors:
        assert "the same data sets on every process, found others" in error
        assert "on 1 of 2" in error


def test_an_evaluation_that_fails_on_one_process_costs_none_a_step(tmp_path):
    config = changed(steps=4, save_every=1000, evaluate_every=3, evaluate_videos=2)
    processes = start_together(tmp_path, 2, config=config, fails=1)
    errors = [process.communicate(timeout=300)[1] for process in processes]
    assert [process.returncode for process in processes] == [2, 2], errors
    assert "found that another could not; its message says why" in errors[0]
    assert "a held-out video is damaged" in errors[1]
    assert steps_in(tmp_path / "run" / "checkpoints") == [3]
