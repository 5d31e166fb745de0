"""Runs of seconds, for the tests of the loop, and checkpoints without a run."""

import itertools

import jax
import numpy as np
import pytest
from training import stand_in
from training.stand_in import CONFIG, state_at

from mavos_jax.models.mavos import build_model, init_variables
from mavos_jax.training import loop
from mavos_jax.training.checkpoints import Checkpoints
from mavos_jax.training.step import new_state


@pytest.fixture
def run(monkeypatch):
    """Trains with the stand-in for the step: ``run(config, workdir, bad_steps=(...))``."""

    def train(config, workdir, **options):
        monkeypatch.setattr(loop, "build_step", stand_in.stand_in_step(**options))
        loop.train(config, workdir)

    return train


@pytest.fixture(scope="module")
def state():
    """A state without two equal leaves."""
    fresh = jax.device_get(new_state(CONFIG, init_variables(build_model(CONFIG))))
    number = itertools.count(1)
    return jax.tree.map(lambda x: x + np.asarray(next(number)).astype(x.dtype), fresh)


@pytest.fixture
def save(tmp_path, state):
    """Writes checkpoints of a run, by step and score."""

    def write(scores, **facts):
        with Checkpoints(tmp_path, CONFIG, {"data": "none", **facts}) as checkpoints:
            for step, score in scores.items():
                checkpoints.save(state_at(state, step))
                if score is not None:
                    checkpoints.add_score(step, score)

    return write
