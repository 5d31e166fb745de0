"""The same steps on any number of devices, by ``pmap`` and by ``jit``; the campaign's are true."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_configs import vary
from training.device_campaign import (
    GRAPH_OPTIONS,
    SMALL,
    STEPS,
    losses_of_processes,
    losses_on,
    make_batch,
    network,
)

from mavos_jax.training import devices as training_devices
from mavos_jax.training.devices import build_step, replicate, unreplicate
from mavos_jax.training.step import Metrics, TrainState

COUNTS = (1, 2, 4)
CONFIG = vary(SMALL, training={"batch_size": 8})


def stand_in(_, state, batch, *, axis_name):
    seen = (batch.frames * jnp.float32(1e-3)).mean((0, 2, 3, 4, 5)) * batch.places
    measured = jax.lax.pmean(seen.mean() + state.trained["x"], axis_name)
    place = jnp.float32(jax.lax.axis_index(axis_name))
    places = jax.lax.psum(place * batch.places.sum(), axis_name)
    value = measured.mean()
    metrics = Metrics(value, measured, measured, value, places, value > 1e9)
    return state._replace(step=state.step + 1, trained={"x": measured * 0.5}), metrics


def start():
    zero, trained = jnp.int32(0), {"x": jnp.arange(3.0)}
    key = jnp.zeros(2, jnp.uint32)
    return TrainState(zero, trained, trained, {}, {}, (), zero, zero, key)


def run(count, with_pmap):
    chosen = jax.devices()[:count]
    step = build_step(CONFIG, chosen, with_pmap=with_pmap)
    state, values = replicate(start(), chosen, with_pmap=with_pmap), []
    for seed in range(3):
        state, metrics = step(state, make_batch(CONFIG, seed))
        values.append([np.asarray(x) for x in metrics])
    return jax.tree.leaves((unreplicate(state), values))


@pytest.mark.parametrize("count", COUNTS)
def test_jit_shares_clips_out_as_pmap_does(count, monkeypatch):
    monkeypatch.setattr(training_devices.steps, "train_step", stand_in)
    mapped, *others = run(count, True), run(count, False)
    monkeypatch.setattr(training_devices, "graph_options", lambda _: GRAPH_OPTIONS)
    others += [run(count, True), run(count, False)]
    assert_same = functools.partial(np.testing.assert_array_equal, strict=True)
    for other in others:
        jax.tree.map(assert_same, mapped, other)
    assert mapped[0] == 3  # steps


def test_a_state_is_on_every_device_and_comes_back_as_a_copy():
    for with_pmap in (True, False):
        state = replicate(start(), with_pmap=with_pmap)
        assert len(state.key.addressable_shards) == len(jax.devices())
        found = unreplicate(state)
        jax.tree.map(np.testing.assert_array_equal, found, start())
        assert all(x.base is None or x.base.base is None for x in jax.tree.leaves(found))


@pytest.mark.campaign
@pytest.mark.parametrize("name", ["small", "tiny"])
def test_steps_on_several_devices_are_those_on_one(name):
    config = network(name)
    one, *others = (losses_on(config, jax.devices()[:count]) for count in COUNTS)
    assert np.isfinite(one).all()
    assert len(set(one)) == STEPS
    twins = [losses_on(config, jax.devices()[:count], with_pmap=False) for count in COUNTS]
    processes = *losses_of_processes(name), *losses_of_processes(name, "graphs")
    for losses in (*others, *twins, *processes):
        np.testing.assert_allclose(losses, one, rtol=1e-5)
