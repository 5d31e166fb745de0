"""Runs of seconds, for the tests of the loop."""

import pytest
from training import stand_in

from mavos_jax.training import loop


@pytest.fixture
def run(monkeypatch):
    """Trains with the stand-in for the step: ``run(config, workdir, bad_steps=(...))``."""

    def train(config, workdir, **options):
        monkeypatch.setattr(loop, "build_step", stand_in.stand_in_step(**options))
        loop.train(config, workdir)

    return train
