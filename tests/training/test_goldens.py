"""Losses, gradients and AdamW steps of the full networks against the PyTorch training code."""

import dataclasses
import functools
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from seeded_weights import seeded_network
from small_configs import vary

import mavos_jax
from mavos_jax.commands.parser import load_config
from mavos_jax.config import ClipConfig, Experiment, OptimizerConfig
from mavos_jax.conversion.convert import conversion_rules
from mavos_jax.models.mavos import variable_shapes
from mavos_jax.training.clip import Clip, clip_loss
from mavos_jax.training.optimizer import decays, encoder_rate, learning_rate, update
from mavos_jax.training.step import TrainState, merge, new_state

GOLDENS = Path(__file__).parents[1] / "goldens"
NETWORKS = ["mavos", "r50_mavos", "swinb_mavos"]


class Seeded(NamedTuple):
    """One network with seeded weights, its golden numbers and its compiled loss and gradient."""

    name: str
    config: Experiment
    state: TrainState
    golden: dict[str, np.ndarray]
    gradient: Any


# The largest two compile for minutes.
PARAMETERS = [
    NETWORKS[0],
    *(pytest.param(name, marks=pytest.mark.campaign) for name in NETWORKS[1:]),
]


@pytest.fixture(scope="module", params=PARAMETERS)
def network(request, goldens):
    """The tests of one network follow one another, so that its gradient is compiled once."""
    name = request.param
    golden = goldens(f"train_{name}")
    config, variables = seeded_network(name)
    clip = ClipConfig(gap=int(golden["mem_gap"]), shuffle_identities=False, dropout=False)
    rates = OptimizerConfig(min_rate=2e-5 if name == "mavos" else 1e-5)
    config = vary(config, training={"clip": clip, "optimizer": rates})
    return Seeded(name, config, new_state(config, variables), golden, gradient_function(config))


def gradient_function(config):
    model = mavos_jax.build_model(config)

    def loss(trained, frozen, constants, clips, step):
        variables = merge(trained, frozen, constants)

        def one(clip):
            return clip_loss(model, variables, clip, step, None)

        totals, results = jax.vmap(one)(clips)
        return totals.mean(), results.loss.T

    return jax.jit(jax.value_and_grad(loss, has_aux=True))


def measure(network, trained, step):
    golden, state = network.golden, network.state
    clips = Clip(
        jnp.asarray(golden["frames"].swapaxes(0, 1)),
        jnp.asarray(golden["masks"].swapaxes(0, 1)),
        jnp.asarray(golden["num_objects"], jnp.int32),
    )
    return network.gradient(trained, state.frozen, state.constants, clips, jnp.int32(step))


def by_torch_name(config, leaves):
    """Arrays of parameters in PyTorch's layout, by PyTorch name."""
    rules = {rule.flax.removeprefix("params/"): rule for rule in conversion_rules(config)}
    return {
        rules[path].torch: rules[path].layout.to_torch(np.asarray(leaf))
        for path, leaf in leaves.items()
    }


def check_tensors(found, golden, kind, norm_mark, sample_mark):
    """Compares norms and eight samples of every tensor, relative to the largest of the eight."""
    stored = (golden[f"{kind}_{part}"] for part in ("names", "norms", "samples"))
    for name, norm, expected in zip(*stored, strict=True):
        array = found[str(name)]
        index = np.random.RandomState(zlib.crc32(str(name).encode())).randint(0, array.size, 8)
        taken = array.reshape(-1)[index]
        largest = np.abs(expected).max()
        np.testing.assert_allclose(
            np.linalg.norm(array.astype(np.float64)), norm, rtol=norm_mark, atol=1e-9, err_msg=name
        )
        mark = sample_mark * largest if largest > 0 else 1e-9
        np.testing.assert_allclose(taken, expected, rtol=0, atol=mark, err_msg=name)


def test_loss_and_gradient(network):
    config, state, golden = network.config, network.state, network.golden
    for step in (0, 30000, 60000):
        (loss, frame_losses), gradient = measure(network, state.trained, step)
        np.testing.assert_allclose(loss, golden[f"step{step}_loss"], rtol=1e-5)
        np.testing.assert_allclose(frame_losses, golden[f"step{step}_frame_losses"], rtol=1e-5)
        found = by_torch_name(config, gradient)
        check_tensors(found, golden, f"step{step}_grad", norm_mark=1e-3, sample_mark=1e-2)
        for absent in set(found) - set(map(str, golden[f"step{step}_grad_names"])):
            assert not found[absent].any(), f"{absent} has a gradient at step {step}"
        total = np.sqrt(sum(np.sum(np.square(x, dtype=np.float64)) for x in found.values()))
        np.testing.assert_allclose(total, golden[f"step{step}_grad_global_norm"], rtol=1e-3)


def test_three_steps_of_adamw(network):
    config, state, golden = network.config, network.state, network.golden
    training = config.training
    start, trained, optimizer = state.trained, state.trained, state.optimizer
    for i, (rate, expected) in enumerate(golden["opt_lr_loss"]):
        step = 4990 + i
        (loss, _), gradient = measure(network, trained, step)
        np.testing.assert_allclose(loss, expected, rtol=1e-4)
        np.testing.assert_allclose(learning_rate(training, step), rate, rtol=1e-12)
        trained, optimizer = jax.jit(update, static_argnums=0)(
            training, trained, gradient, optimizer, jnp.int32(step)
        )
    change = by_torch_name(config, {path: trained[path] - start[path] for path in start})
    marks = {"norm_mark": 3e-3, "sample_mark": 5e-2}
    try:
        check_tensors(change, golden, "opt_delta", **marks)
    except AssertionError:
        # Rounding decides which way R50's steps go. In float64, parameters moved by 6e-8 or 6e-7 of
        # themselves left the third loss within 4e-6 in seven draws of eight; in the eighth it came
        # out 1.14e-4 lower, as the golden's is. Either end is right, a mixture is not.
        exact = GOLDENS / f"train_{network.name}_float64.npz"
        if not exact.exists():
            raise
        check_tensors(change, np.load(exact), "opt_delta", **marks)


@pytest.mark.parametrize("name", NETWORKS)
def test_trained_tensors_and_their_weight_decay(goldens, name):
    golden, config = goldens(f"train_{name}"), load_config(f"configs/{name}.py")
    state = jax.eval_shape(functools.partial(new_state, config), variable_shapes(config))
    rules = {rule.flax.removeprefix("params/"): rule.torch for rule in conversion_rules(config)}
    found = {
        rules[path]: config.training.optimizer.weight_decay * decays(path, leaf.ndim)
        for path, leaf in state.trained.items()
    }
    expected = zip(golden["opt_names"], golden["opt_weight_decay"], strict=True)
    assert found == {str(name): value for name, value in expected}


def test_schedule(goldens):
    base = load_config("configs/mavos.py").training
    for low, step, encoder, other in goldens("lr_schedule")["rows"]:
        training = dataclasses.replace(base, optimizer=OptimizerConfig(min_rate=float(low)))
        rate = learning_rate(training, int(step))
        np.testing.assert_allclose(rate, other, rtol=1e-12)
        np.testing.assert_allclose(encoder_rate(training.optimizer, rate), encoder, rtol=1e-12)
        traced = jax.jit(lambda step, training=training: learning_rate(training, step, jnp))
        np.testing.assert_allclose(traced(jnp.int32(step)), other, rtol=1e-6)
