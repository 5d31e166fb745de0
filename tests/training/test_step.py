import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from refusals import refuse
from small_configs import vary
from training.device_campaign import SMALL, make_batch, start_state

from mavos_jax.config import MemoryConfig
from mavos_jax.runtime import devices
from mavos_jax.training import devices as training_devices
from mavos_jax.training.devices import build_step, replicate, unreplicate
from mavos_jax.training.optimizer import average_decay, learning_rate
from mavos_jax.training.step import Metrics

ONE = jax.devices()[:1]


@functools.cache
def steps_of(accumulate):
    return build_step(vary(SMALL, training={"accumulate": accumulate}), ONE)


@functools.cache
def start():
    return start_state(SMALL)


def run(state, seed, accumulate=1):
    """The state after a step, on the host, and its metrics."""
    state, metrics = steps_of(accumulate)(replicate(state, ONE), make_batch(SMALL, seed))
    return unreplicate(state), jax.device_get(metrics)


@functools.cache
def first_step():
    return run(start(), 0)


@pytest.mark.newest
def test_what_a_step_changes():
    before, (after, metrics) = start(), first_step()
    assert (after.step, after.skipped, after.skipped_in_row) == (1, 0, 0)
    assert not metrics.is_skipped
    assert metrics.frame_losses.shape == metrics.frame_ious.shape == (SMALL.data.clip_frames,)
    # In the first step, the weight of the reference's own loss is 1.
    expected = metrics.frame_losses[1:].mean() + metrics.frame_losses[0]
    np.testing.assert_allclose(metrics.loss, expected, rtol=1e-6)
    assert before.frozen
    for name in ("frozen", "constants", "key"):
        jax.tree.map(np.testing.assert_array_equal, getattr(after, name), getattr(before, name))
    moved = {path for path, leaf in after.trained.items() if (leaf != before.trained[path]).any()}
    assert {path for path in after.trained if path.endswith("/kernel")} <= moved


def test_the_second_step_is_not_compiled_again(count_compilations):
    step, batches = steps_of(1), [make_batch(SMALL, seed) for seed in range(3)]
    state, metrics = step(replicate(start(), ONE), batches[0])
    rates = [float(metrics.rate)]
    with count_compilations() as count:
        for batch in batches[1:]:
            state, metrics = step(state, batch)
            rates.append(float(metrics.rate))
    assert (count.compilations, count.traces) == (0, 0)
    expected = [learning_rate(SMALL.training, step) for step in range(3)]
    np.testing.assert_allclose(rates, expected, rtol=1e-6)


def test_a_step_that_is_not_finite_changes_nothing_but_the_counters():
    path = "decoder/conv_in/bias"
    healthy, _ = first_step()
    broken = {**healthy.trained, path: np.full_like(healthy.trained[path], np.nan)}
    before = healthy._replace(trained=broken)
    after, metrics = run(before, 1)
    assert metrics.is_skipped
    assert not np.isfinite(metrics.loss)
    assert (after.step, after.skipped, after.skipped_in_row) == (2, 1, 1)
    counters = {"step": before.step, "skipped": before.skipped, "skipped_in_row": np.int32(0)}
    jax.tree.map(np.testing.assert_array_equal, after._replace(**counters), before)

    again, _ = run(after, 2)
    assert (again.step, again.skipped, again.skipped_in_row) == (3, 2, 2)
    healed, metrics = run(again._replace(trained=healthy.trained), 3)
    assert not metrics.is_skipped
    assert (healed.step, healed.skipped, healed.skipped_in_row) == (4, 2, 0)
    # The average and Adam count the steps that were done, not the skipped ones.
    decay = average_decay(SMALL.training, jnp.int32(2))
    for name, leaf in healed.trained.items():
        expected = decay * healthy.average[name] + (1 - decay) * leaf
        np.testing.assert_allclose(healed.average[name], expected, rtol=1e-6, atol=1e-8)
    assert [leaf for leaf in jax.tree.leaves(healed.optimizer) if leaf.ndim == 0] == [2]


def test_parts_one_after_the_other_are_the_whole():
    after, metrics = first_step()
    in_parts, others = run(start(), 0, accumulate=2)
    for name in metrics._fields:
        # A pixel at a tie may change sides; a mean IoU shows it, the losses hardly.
        mark = 0.01 if name == "frame_ious" else 0
        one, two = getattr(metrics, name), getattr(others, name)
        np.testing.assert_allclose(two, one, rtol=1e-5, atol=mark, err_msg=name)
    # Adam's first moment is a tenth of the clipped gradient. Where a normalisation cancels it, only
    # rounding is left: all are measured by the largest.
    moments = after.optimizer[1].mu
    scale = max(np.abs(leaf).max() for leaf in moments.values())
    for path, leaf in in_parts.optimizer[1].mu.items():
        np.testing.assert_allclose(leaf, moments[path], rtol=1e-5, atol=1e-5 * scale, err_msg=path)


@pytest.mark.parametrize(
    ("part", "fields", "count", "words"),
    [
        ("training", {"batch_size": 6}, 4, r"\.batch_size: expected a multiple of 4 .*, found 6"),
        ("training", {"accumulate": 3}, 1, r"\.batch_size: expected a multiple of 3 .*, found 4"),
        ("data", {"clip_frames": 3}, 4, r"\.clip_frames: expected at least 4 .* found 3"),
        ("data", {"crop": 48}, 4, r"\.crop: expected 16 n \+ 1 pixels .*, found 48"),
    ],
)
def test_what_cannot_be_run_is_refused(part, fields, count, words):
    config = vary(SMALL, **{part: fields})
    refuse(f"^{part}{words}", build_step, config, jax.devices()[:count])


def test_clips_may_be_short_without_mca():
    plain = MemoryConfig(policy="reference_previous")
    build_step(vary(SMALL, memory=plain, data={"clip_frames": 3}))


def test_a_step_is_traced_in_its_precision(monkeypatch):
    seen = []

    def see(_, state, batch, *, axis_name):
        seen.append(jax.config.values["jax_default_matmul_precision"])
        zero, per_frame = jnp.zeros(()), jnp.zeros(batch.frames.shape[2])
        metrics = Metrics(zero, per_frame, per_frame, zero, zero, zero > 0)
        return state, jax.lax.pmean(metrics, axis_name)

    monkeypatch.setattr(devices, "_is_free", lambda: True)
    monkeypatch.setattr(training_devices.steps, "train_step", see)
    for precision in ("float32", "bfloat16"):
        config = vary(SMALL, training={"clip": {"precision": precision}})
        build_step(config, ONE)(replicate(start(), ONE), make_batch(SMALL, 0))
    assert seen == ["highest", "default"]
