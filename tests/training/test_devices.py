"""The same steps on any number of devices and processes."""

import functools

import jax
import numpy as np
import pytest
from training.device_campaign import SMALL, largest_difference, losses_of_processes, losses_on

MARK = 1e-5


@functools.cache
def losses_on_first(count):
    return losses_on(SMALL, jax.devices()[:count])


@pytest.mark.parametrize("count", [2, 4])
def test_ten_steps_on_several_devices_are_those_on_one(count):
    assert np.isfinite(losses_on_first(1)).all()
    assert len(set(losses_on_first(1))) == 10
    assert largest_difference(losses_on_first(1), losses_on_first(count)) < MARK


def test_ten_steps_of_two_processes_are_those_of_one():
    first, second = losses_of_processes("small")
    assert first == second
    assert largest_difference(losses_on_first(1), first) < MARK
