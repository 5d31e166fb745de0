"""The same steps on any number of devices.

``device_campaign.py`` compares more of them, and processes, with the network of
``configs/tiny.py``; it compiles for minutes and is run by hand.
"""

import jax
import numpy as np
import pytest
from training.device_campaign import (
    MARK,
    SMALL,
    largest_difference,
    losses_of_processes,
    losses_on,
)


@pytest.mark.campaign
def test_ten_steps_on_several_devices_are_those_on_one():
    one, *others = (losses_on(SMALL, jax.devices()[:count]) for count in (1, 2, 4))
    assert np.isfinite(one).all()
    assert len(set(one)) == 10
    for losses in (*others, *losses_of_processes("small")):
        assert largest_difference(one, losses) < MARK
