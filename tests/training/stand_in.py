"""A run that takes seconds: a small network, and a stand-in for the step that only counts and adds.

It depends on the state, the batch and the step as the true one does, so that whatever is lost or
repeated between two parts of a run shows in the parameters. ``python -m training.stand_in`` is
``train.py`` with that step; STAND_IN_SECONDS is what a step takes, and STAND_IN_FAILS the process
on which no video can be scored.
"""

from __future__ import annotations

import itertools
import json
import os
import time
from typing import Any

import jax
import numpy as np
from programs import ROOT, start_python
from small_configs import MOBILENET, vary

from mavos_jax.config import SourceConfig
from mavos_jax.models.mavos import variable_shapes
from mavos_jax.training import checkpoints, loop, validation
from mavos_jax.training.resume import newest_whole, read_state
from mavos_jax.training.step import Metrics, new_state

_SETS = {"sources": (SourceConfig(num_videos=20),), "held_out": SourceConfig(num_videos=2)}
_SIZES = {"clip_frames": 3, "crop": 33, "short_edge": 48, "merge": 0.0, "workers": 0, "threads": 1}
_TRAINING = {"steps": 4, "batch_size": 4, "optimizer": {"freeze_early": False, "max_skipped": 3}}
_LOOP = {"log_every": 1, "picture_every": 0, "evaluate_every": 0, "evaluate_videos": 1}
_SAVES = {"save_every": 2, "keep": 2}
CONFIG = vary(
    MOBILENET, data={**_SETS, **_SIZES}, training={**_TRAINING, "loop": {**_LOOP, **_SAVES}}
)


def changed(data: Any = (), **fields: Any):
    """The configuration with other values of its data, training and loop."""
    loop = {name: fields.pop(name) for name in [*fields] if hasattr(CONFIG.training.loop, name)}
    return vary(CONFIG, data=dict(data), training={**fields, "loop": loop})


def state_at(state, step):
    """The state at another step, with another average."""
    moved = state._replace(step=np.asarray(step, np.int32))
    return moved._replace(average={path: x + step for path, x in state.average.items()})


def stand_in_step(seconds=0.0, bad_steps=(), fails_at=None):
    """Returns what takes the place of ``build_step``; ``bad_steps`` are not finite."""

    def build(config):
        def step(state, batch):
            time.sleep(seconds)
            state = jax.tree.map(np.asarray, state)
            index = int(state.step[0])
            content = float(batch.frames.mean(dtype=np.float64) + batch.masks.sum()) / 255
            is_bad = index in bad_steps
            if index == fails_at:
                raise RuntimeError("as if the process had died")
            state = state._replace(
                step=state.step + np.int32(1),
                skipped=state.skipped + np.int32(is_bad),
                skipped_in_row=np.where(is_bad, state.skipped_in_row + 1, 0).astype(np.int32),
            )
            if not is_bad:
                add = np.float32(content * (index + 1) * 1e-3)
                trained = {path: x * np.float32(0.9) + add for path, x in state.trained.items()}
                state = state._replace(
                    trained=trained,
                    average={path: (x + trained[path]) / 2 for path, x in state.average.items()},
                    optimizer=jax.tree.map(lambda x: x + np.ones_like(x), state.optimizer),
                )
            loss = np.float32(np.nan if is_bad else content)
            frames = np.full(config.data.clip_frames, loss)
            values: Any = loss, frames, frames, np.float32(1e-4), loss, np.bool_(is_bad)
            return state, Metrics(*values)

        return step

    return build


def start(folder, *words, seconds=0.0, fails="", config=None, **options):
    """Starts ``train.py`` with the stand-in in a process of its own; its run is in folder/run."""
    file = folder / "config.py"
    file.write_text(f"from mavos_jax.config import *\nconfig = {config or CONFIG!r}\n")
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}",
        "STAND_IN_SECONDS": str(seconds),
        "STAND_IN_FAILS": str(fails),
        "XLA_FLAGS": "",
    }
    words = ("--config", file, "--workdir", folder / "run", *words)
    return start_python("-m", "training.stand_in", *words, env=environment, **options)


def complaints(errors):
    """Returns the lines of a process but those of programs that take long to compile."""
    return [line for line in errors.splitlines() if not line.startswith("compiling ")]


def fail_writes(monkeypatch, times, error):
    """Lets the first so many checkpoints fail while they are written behind the run."""
    write, calls = checkpoints.description.write_description, itertools.count()

    def failing(*arguments):
        if next(calls) < times:
            raise error
        write(*arguments)

    monkeypatch.setattr(checkpoints.description, "write_description", failing)


def fail_on(process):
    if jax.process_index() == process:
        raise ValueError("a held-out video is damaged")
    return [(1.0, 1.0)]


def parameters(workdir, config=CONFIG):
    """Returns the leaves of everything in the newest checkpoint but its description."""
    like = jax.eval_shape(lambda x: new_state(config, x), variable_shapes(config))
    step = newest_whole(workdir)
    return jax.tree.leaves(read_state(workdir / "checkpoints" / str(step), like))


def lines(workdir):
    return [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]


def saved_steps(workdir):
    return sorted(int(x.name) for x in (workdir / "checkpoints").iterdir())


def same(first, second):
    """Says whether two trees of arrays are the same bit for bit."""
    is_alike = jax.tree.structure(first) == jax.tree.structure(second)
    return is_alike and jax.tree.all(jax.tree.map(np.array_equal, first, second))


def main():
    import train

    loop.build_step = stand_in_step(float(os.environ.get("STAND_IN_SECONDS", "0")))
    if failing := os.environ.get("STAND_IN_FAILS"):
        validation.score_video = lambda *_: fail_on(int(failing))
    train.run()


if __name__ == "__main__":
    main()
