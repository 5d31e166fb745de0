"""Kills a run at random moments and goes on with it, until its end; then compares what is left.

python -m training.kill_campaign --kills 20 (in tests/, with the package on PYTHONPATH) fails where
the end differs or a kill cost more than two intervals between saves: one, and the steps that are
done while a checkpoint is written.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from training.stand_in import changed, complaints, parameters, same, start

from mavos_jax.checkpoints.description import steps_in

STEPS = 120
SAVE_EVERY = 5
SECONDS = 0.04


class Kill(NamedTuple):
    """What a kill cost.

    Attributes:
      reached: the last step that was logged before it.
      saved: the newest checkpoint after it.
      is_saving: whether it left a checkpoint half written.
    """

    reached: int
    saved: int
    is_saving: bool

    @property
    def lost(self) -> int:
        """Steps that the next part of the run repeats."""
        return self.reached - self.saved


def campaign(
    folder: Path, num_kills: int, seed: int = 0, steps: int = STEPS, save_every: int = SAVE_EVERY
) -> list[Kill]:
    """Runs to the end with kills, checks that the end is that of a run without, returns them.

    Half of the kills come at any moment and half while a checkpoint is being written.
    """
    config = changed(steps=steps, save_every=save_every)
    rng = random.Random(seed)
    kills: list[Kill] = []
    while True:
        process = start(folder, seconds=SECONDS, config=config)
        if len(kills) == num_kills:
            break
        aims_at_save = len(kills) % 2 == 1
        _wait_for_moment(folder, process, rng, aims_at_save, 2 * steps // (num_kills + 1))
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL)
        process.communicate()
        kills.append(_look(folder / "run"))
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    assert not complaints(errors), errors
    assert "damaged" not in output, output
    whole = folder / "whole"
    whole.mkdir()
    process = start(whole, config=config)
    process.communicate()
    assert same(parameters(folder / "run"), parameters(whole / "run")), "other parameters"
    lines = [_read(folder), _read(whole)]
    assert [line["step"] for line in lines[0]] == list(range(1, steps + 1))
    assert [line["loss"] for line in lines[0]] == [line["loss"] for line in lines[1]]
    return kills


def _wait_for_moment(
    folder: Path, process: subprocess.Popen, rng: random.Random, aims_at_save: bool, ahead: int
) -> None:
    """Waits for a random number of steps, and then for a checkpoint in the making or not."""
    checkpoints = folder / "run" / "checkpoints"
    target = _look(folder / "run").saved + rng.randint(0, ahead)
    while process.poll() is None and _look(folder / "run").reached <= target:
        time.sleep(0.01)
    time.sleep(rng.uniform(0, 2 * SECONDS))
    while aims_at_save and process.poll() is None:
        if any("tmp" in x.name for x in checkpoints.iterdir()):
            time.sleep(rng.uniform(0, 0.1))
            return
        time.sleep(0.001)


def _look(workdir: Path) -> Kill:
    file = workdir / "metrics.jsonl"
    lines = file.read_bytes().splitlines(keepends=True) if file.exists() else []
    whole = [json.loads(line)["step"] for line in lines if line.endswith(b"\n")]
    checkpoints = workdir / "checkpoints"
    found = steps_in(checkpoints) if checkpoints.exists() else []
    is_saving = checkpoints.exists() and any("tmp" in x.name for x in checkpoints.iterdir())
    return Kill(max(whole, default=0), max(found, default=0), is_saving)


def _read(folder: Path) -> list[dict]:
    text = (folder / "run" / "metrics.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--save_every", type=int, default=SAVE_EVERY)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        kills = campaign(
            Path(folder), arguments.kills, arguments.seed, arguments.steps, arguments.save_every
        )
    for number, kill in enumerate(kills, start=1):
        state = "  while saving" if kill.is_saving else ""
        print(f"kill {number}: at step {kill.reached}, {kill.lost} steps lost{state}")
    worst = max((kill.lost for kill in kills), default=0)
    if worst > 2 * arguments.save_every:
        raise SystemExit(f"expected at most {2 * arguments.save_every} steps lost, found {worst}")
    print(f"{len(kills)} kills: the parameters at the end are those of a run without, bit for bit")


if __name__ == "__main__":
    main()
