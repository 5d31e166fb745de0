import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from small_configs import SWIN, vary

from mavos_jax.config import ClipConfig, OptimizerConfig, TrainingConfig
from mavos_jax.models.mavos import variable_shapes
from mavos_jax.runtime.trees import leaves_by_path
from mavos_jax.training.optimizer import (
    MUON_SIZE,
    average_decay,
    build_optimizer,
    decays,
    encoder_rate,
    global_norm,
    is_frozen,
    learning_rate,
    update,
)
from mavos_jax.training.step import new_state

CONFIG = TrainingConfig(steps=1000)
RATES = CONFIG.optimizer


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize("encoder", [True, False])
def test_frozen_parameters_have_no_optimiser_state(early, encoder):
    rates = dataclasses.replace(RATES, freeze_early=early, freeze_encoder=encoder)
    config = vary(SWIN, training={"optimizer": rates})
    state = jax.eval_shape(lambda x: new_state(config, x), variable_shapes(config))
    leaves = leaves_by_path(variable_shapes(config)["params"])
    frozen = {path for path in leaves if is_frozen(rates, config.encoder, path)}
    stages = ("patch_embedding", "patch_norm", "stage_0_block_0") if early else ()
    parts = ("encoder/",) if encoder else tuple(f"encoder/{stage}/" for stage in stages)
    assert frozen == {path for path in leaves if path.startswith(parts)}
    assert set(state.frozen) == frozen
    assert set(state.trained) == set(state.average) == set(leaves) - frozen
    sizes = sum(leaf.size for leaf in state.trained.values())
    assert sum(x.size for x in jax.tree.leaves(state.optimizer)) == 2 * sizes + 1


def test_a_schedule_that_is_over_and_one_too_short_to_warm_up():
    assert learning_rate(CONFIG, 10 * CONFIG.steps) == RATES.min_rate
    config = TrainingConfig(steps=4)
    np.testing.assert_allclose(learning_rate(config, 0), RATES.peak_rate)
    assert all(RATES.min_rate < learning_rate(config, step) for step in range(4))


def test_the_decay_of_the_average():
    for updates in (1, 2, 10, 100):
        found = average_decay(CONFIG, jnp.int32(updates))
        np.testing.assert_allclose(found, min(1 - 1 / 100, (1 + updates) / (10 + updates)))
    np.testing.assert_allclose(average_decay(CONFIG, jnp.int32(10**6)), 0.99)
    assert average_decay(TrainingConfig(steps=4), jnp.int32(3)) == 0


def draw(random, shapes, size=1.0):
    return {
        path: jnp.asarray(size * random.randn(*shape), jnp.float32)
        for path, shape in shapes.items()
    }


def by_hand(config, leaves, gradients, steps):
    """AdamW in NumPy, in double precision, one parameter at a time."""
    leaves = {path: np.asarray(leaf, np.float64) for path, leaf in leaves.items()}
    means = {path: np.zeros(leaf.shape) for path, leaf in leaves.items()}
    squares = {path: np.zeros(leaf.shape) for path, leaf in leaves.items()}
    for count, (step, gradient) in enumerate(zip(steps, gradients, strict=True), start=1):
        norm = np.sqrt(sum(np.sum(np.square(g, dtype=np.float64)) for g in gradient.values()))
        clip = min(1.0, config.optimizer.clip_norm / norm)
        rate = learning_rate(config, step)
        for path, leaf in leaves.items():
            g = np.asarray(gradient[path], np.float64) * clip
            means[path] = 0.9 * means[path] + 0.1 * g
            squares[path] = 0.999 * squares[path] + 0.001 * g**2
            mean, square = means[path] / (1 - 0.9**count), squares[path] / (1 - 0.999**count)
            direction = mean / (np.sqrt(square) + 1e-8)
            if decays(path, leaf.ndim):
                direction = direction + config.optimizer.weight_decay * leaf
            own = encoder_rate(config.optimizer, rate) if path.startswith("encoder/") else rate
            if path.startswith("identification/") and step >= 0.5 * config.steps:
                own = 0.0
            leaves[path] = leaf - own * direction
    return leaves


def test_steps_are_those_of_adamw_by_hand():
    clip, rates = ClipConfig(teacher_forcing=0.5), OptimizerConfig(peak_rate=1e-2)
    config = dataclasses.replace(CONFIG, clip=clip, optimizer=rates)
    shapes = {
        "decoder/conv_in/kernel": (3, 4),
        "decoder/conv_out/kernel": (3, 4),
        "decoder/norm_in/scale": (4,),
        "encoder/stage_1_block_0/norm1/scale": (5,),
        "encoder/stage_1_block_0/mlp_in/kernel": (5, 2),
        "identification/kernel": (2, 3),
    }
    random = np.random.RandomState(0)
    start, steps = draw(random, shapes), [400, 498, 499, 500, 501]
    gradients = [draw(random, shapes, size) for size in (0.01, 3.0, 0.1, 0.5, 2.0)]
    assert global_norm(gradients[1].values()) > 5 > global_norm(gradients[0].values())
    leaves, state = start, build_optimizer(config.optimizer).init(start)
    advance = jax.jit(update, static_argnums=0)
    reached = []
    for step, gradient in zip(steps, gradients, strict=True):
        leaves, state = advance(config, leaves, gradient, state, jnp.int32(step))
        reached.append(leaves["identification/kernel"])
    expected = by_hand(config, start, gradients, steps)
    for path in shapes:
        change = expected[path] - np.asarray(start[path], np.float64)
        found = np.asarray(leaves[path], np.float64) - np.asarray(start[path], np.float64)
        np.testing.assert_allclose(found, change, rtol=1e-4, atol=1e-6, err_msg=path)
    assert (reached[2] != reached[1]).all()
    np.testing.assert_array_equal(reached[4], reached[2])


def test_muon_is_that_of_optax_and_the_rest_is_adams():
    shapes = {
        "decoder/conv_in/kernel": (6, 9),
        "decoder/conv_16/kernel": (3, 3, 5, 4),
        "decoder/conv_out/kernel": (6, 11),
        "decoder/norm_in/scale": (6,),
        "elstt/block_0/depthwise/kernel": (5, 5, 6),
    }
    numbers: Any = dict.fromkeys(shapes) | {
        "decoder/conv_in/kernel": optax.contrib.MuonDimensionNumbers(0, 1),
        "decoder/conv_16/kernel": optax.contrib.MuonDimensionNumbers((0, 1, 2), 3),
    }
    random = np.random.RandomState(1)
    leaves: Any = {path: jnp.zeros(shape) for path, shape in shapes.items()}
    ours = build_optimizer(OptimizerConfig(kind="muon", clip_norm=1e3, weight_decay=0.0))
    theirs = optax.contrib.muon(
        -1.0, consistent_rms=MUON_SIZE, muon_weight_dimension_numbers=numbers
    )
    state, other = ours.init(leaves), theirs.init(leaves)
    found, _ = ours.update(leaves, state, leaves)  # without a gradient
    assert not any(leaf.any() for leaf in jax.tree.leaves(found))
    for _ in range(3):
        gradient: Any = draw(random, shapes)
        found, state = ours.update(gradient, state, leaves)
        expected, other = theirs.update(gradient, other, leaves)
        for one, two in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-5)
