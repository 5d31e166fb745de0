import json
import random
import signal
import time

import pytest
from training.stand_in import changed, complaints, lines, parameters, same, start

from mavos_jax.checkpoints.description import steps_in

SAVE_EVERY = 5
SECONDS = 0.04


@pytest.mark.campaign
@pytest.mark.parametrize(("num_kills", "steps"), [(2, 24), (20, 120)])
def test_killed_runs_end_as_one_that_was_not(tmp_path, num_kills, steps):
    """Half of the kills come at any moment and half while a checkpoint is being written."""
    config = changed(steps=steps, save_every=SAVE_EVERY)
    rng = random.Random(0)
    process, num_killed = start(tmp_path, seconds=SECONDS, config=config), 0
    while num_killed < num_kills:
        aims_at_save = num_killed % 2 == 1
        wait_for_moment(tmp_path, process, rng, aims_at_save, 2 * steps // (num_kills + 1))
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL)
        process.communicate()
        num_killed += 1
        # A checkpoint is complete before the next one is begun.
        reached, saved = look(tmp_path / "run")
        assert 0 <= reached - saved <= 2 * SAVE_EVERY
        process = start(tmp_path, seconds=SECONDS, config=config)
    assert num_killed > num_kills // 2
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    assert not complaints(errors), errors
    assert "damaged" not in output, output
    whole = tmp_path / "whole"
    whole.mkdir()
    start(whole, config=config).communicate()
    assert same(parameters(tmp_path / "run"), parameters(whole / "run"))
    found, expected = lines(tmp_path / "run"), lines(whole / "run")
    assert [line["step"] for line in found] == list(range(1, steps + 1))
    assert [line["loss"] for line in found] == [line["loss"] for line in expected]


def wait_for_moment(folder, process, rng, aims_at_save, ahead):
    """Waits for a random number of steps, and then for a checkpoint in the making or not."""
    checkpoints = folder / "run" / "checkpoints"
    target = look(folder / "run")[1] + rng.randint(0, ahead)
    while process.poll() is None and look(folder / "run")[0] <= target:
        time.sleep(0.01)
    time.sleep(rng.uniform(0, 2 * SECONDS))
    while aims_at_save and process.poll() is None:
        if any("tmp" in x.name for x in checkpoints.iterdir()):
            time.sleep(rng.uniform(0, 0.1))
            return
        time.sleep(0.001)


def look(workdir):
    """Returns the last step that was logged, and the newest that was saved."""
    file, checkpoints = workdir / "metrics.jsonl", workdir / "checkpoints"
    written = file.read_bytes().splitlines(keepends=True) if file.exists() else []
    logged = [json.loads(line)["step"] for line in written if line.endswith(b"\n")]
    saved = steps_in(checkpoints) if checkpoints.exists() else []
    return max(logged, default=0), max(saved, default=0)
