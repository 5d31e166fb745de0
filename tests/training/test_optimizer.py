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


def test_the_identification_bank_rests_once_predictions_are_memorised():
    config = dataclasses.replace(CONFIG, clip=ClipConfig(teacher_forcing=0.5))
    leaves = {"identification/kernel": jnp.ones((2, 3)), "decoder/conv_in/kernel": jnp.ones((3, 4))}
    state = build_optimizer(RATES).init(leaves)
    for step, is_trained in ((499, True), (500, False)):
        found, _ = update(config, leaves, leaves, state, jnp.int32(step))
        has_moved = [bool((found[path] != leaf).any()) for path, leaf in leaves.items()]
        assert has_moved == [is_trained, True]


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
        gradient: Any = {x: jnp.asarray(random.randn(*y), jnp.float32) for x, y in shapes.items()}
        found, state = ours.update(gradient, state, leaves)
        expected, other = theirs.update(gradient, other, leaves)
        for one, two in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-5)
