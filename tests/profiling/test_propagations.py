"""The propagations inside the blocks."""

import jax
import jax.numpy as jnp
import pytest
from small_configs import LSTT, MOBILENET

from mavos_jax.inference import step
from mavos_jax.models.mavos import build_model, init_variables
from mavos_jax.profiling.propagations import find_propagations


@pytest.mark.parametrize(
    ("config", "kinds"),
    [
        (MOBILENET, ("long-term", "short-term", "self")),
        (LSTT, ("self", "long-term", "short-term")),
    ],
    ids=["elstt", "lstt"],
)
def test_every_block_gives_its_propagations_in_order(config, kinds):
    model = build_model(config)
    names = []

    def find():
        variables = init_variables(model)
        features = step.encode(model, variables, jnp.zeros((33, 49, 3)))
        memory = step.start(model, variables, features, jnp.zeros((33, 49), jnp.int32))
        found = find_propagations(model, variables, features, memory)
        names.extend(propagation.name for propagation in found)
        updates = found[1].run(*found[1].arguments)
        return jax.tree.leaves(updates)[0]

    update = jax.eval_shape(find)
    assert names == [f"block_{block} {kind}" for block in range(2) for kind in kinds]
    assert update.shape == (3 * 4, config.elstt.dim)
