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


def test_steps_are_those_of_adamw_at_the_rates_of_their_parts():
    clip, rates = ClipConfig(teacher_forcing=0.5), OptimizerConfig(peak_rate=1e-2)
    config = dataclasses.replace(CONFIG, clip=clip, optimizer=rates)
    table = {
        "decoder/conv_in/kernel": ((3, 4), True),
        "decoder/conv_out/kernel": ((3, 4), False),
        "decoder/norm_in/scale": ((4,), False),
        "encoder/stage_1_block_0/norm1/scale": ((5,), True),
        "encoder/stage_1_block_0/mlp_in/kernel": ((5, 2), True),
        "identification/kernel": ((2, 3), True),
    }
    shapes, is_decayed = ({path: row[i] for path, row in table.items()} for i in (0, 1))
    random = np.random.RandomState(0)
    expected: Any = draw(random, shapes)
    gradients = [draw(random, shapes, size) for size in (0.01, 3.0, 0.1, 0.5, 2.0)]
    assert global_norm(gradients[1].values()) > rates.clip_norm > global_norm(gradients[0].values())
    theirs = optax.chain(
        optax.clip_by_global_norm(rates.clip_norm),
        optax.adamw(1.0, weight_decay=rates.weight_decay, mask=is_decayed),
    )
    leaves, other = expected, theirs.init(expected)
    state, advance = build_optimizer(rates).init(leaves), jax.jit(update, static_argnums=0)
    for step, gradient in zip((400, 498, 499, 500, 501), gradients, strict=True):
        leaves, state = advance(config, leaves, gradient, state, jnp.int32(step))
        moves: Any
        moves, other = theirs.update(gradient, other, expected)
        rate = learning_rate(config, step)
        of_bank = rate if step < 500 else 0.0
        own = {"encoder": encoder_rate(rates, rate), "decoder": rate, "identification": of_bank}
        expected = {
            path: leaf + own[path.partition("/")[0]] * moves[path]
            for path, leaf in expected.items()
        }
        for path, leaf in expected.items():
            np.testing.assert_allclose(leaves[path], leaf, rtol=1e-6, atol=1e-6, err_msg=path)


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
