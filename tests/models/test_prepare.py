import gc

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_configs import MOBILENET, RESNET, SWIN, vary

from mavos_jax.models import prepare
from mavos_jax.models.backend import backend_for
from mavos_jax.models.mavos import build_model, init_variables
from mavos_jax.models.prepare import prepare_variables, prepared_shapes


@pytest.mark.parametrize("config", [MOBILENET, RESNET], ids=lambda config: config.name)
def test_folded_norms_change_the_features_by_rounding_alone(config):
    model = build_model(config)
    random = np.random.default_rng(0)  # so that frozen norms do something
    variables = jax.tree.map(
        lambda x: x + 0.2 * random.random(x.shape, np.float32), init_variables(model)
    )
    prepared = prepare_variables(model, variables)
    sizes = [len(jax.tree.leaves(x["constants"])) for x in (prepared, variables)]
    assert sizes[0] * 4 == sizes[1]
    encode = jax.jit(lambda variables, x: model.apply(variables, x, method="encode"))
    image = jax.random.normal(jax.random.PRNGKey(1), (33, 49, 3))
    features = (jax.tree.leaves(encode(x, image)) for x in (variables, prepared))
    for x, y in zip(*features, strict=True):
        np.testing.assert_allclose(y, x, rtol=2e-5, atol=2e-6 * float(jnp.abs(x).max()))


def test_in_bfloat16_what_products_cast_is_stored_so():
    model = build_model(vary(RESNET, inference={"precision": "bfloat16"}))
    params = prepare_variables(model, init_variables(model))["params"]
    assert params["encoder"]["stem"]["kernel"].dtype == jnp.bfloat16
    assert params["elstt"]["block_0"]["gate"]["bias"].dtype == jnp.bfloat16
    assert params["identification"]["kernel"].dtype == jnp.bfloat16
    full = [params["decoder"]["conv_out"], params["elstt"]["block_0"]["norm"]]
    assert {x.dtype for x in jax.tree.leaves(full)} == {jnp.dtype("float32")}


def test_in_bfloat16_the_residual_sums_of_the_transformer_are_float32():
    model = build_model(vary(RESNET, inference={"precision": "bfloat16"}))
    found = []

    def note(call, args, options, context):
        result = call(*args, **options)
        if context.method_name == "propagate":
            found.extend(jax.tree.leaves(result))
        return result

    prepare._plan.cache_clear()
    with nn.intercept_methods(note):
        prepare._plan(model)  # pyright: ignore[reportArgumentType]
    assert {x.dtype for x in found} == {jnp.dtype("float32")}


def test_preparing_does_not_run_the_network(count_compilations):
    model = build_model(RESNET).clone(backend=backend_for("gpu"))
    variables = init_variables(model)
    prepare._plan.cache_clear()
    with count_compilations() as count:
        prepare_variables(model, variables)
    assert 1 <= count.compilations <= 3


def test_on_accelerators_weights_used_together_lie_together_and_no_second_time():
    model = build_model(SWIN, backend_for("gpu"))
    variables = init_variables(model)
    prepared = prepare_variables(model, variables)
    assert {"outputs", "self_propagation"} <= prepared["prepared"]["elstt"]["block_0"].keys()
    assert "output" not in prepared["params"]["elstt"]["block_0"]["short_term"]
    assert "memory_modulation" not in prepared["params"]
    sizes = [sum(x.size for x in jax.tree.leaves(each)) for each in (variables, prepared)]
    assert sizes[0] == sizes[1]


def test_they_are_kept_while_the_given_ones_are():
    model = build_model(MOBILENET)
    variables = init_variables(model)
    gc.collect()
    before = len(prepare._KEPT)
    prepared = prepare_variables(model, variables)
    assert prepare_variables(model, variables) is prepared
    assert len(prepare._KEPT) == before + 1
    assert prepared_shapes(model, variables) == jax.eval_shape(lambda x: x, prepared)
    assert "scale" in variables["constants"]["encoder"]["stem_norm"]
    del variables, prepared
    gc.collect()
    assert len(prepare._KEPT) == before


def test_arrays_that_may_change_are_prepared_anew():
    model = build_model(MOBILENET)
    variables = jax.tree.map(np.array, init_variables(model))
    first = prepare_variables(model, variables)
    variables["params"]["encoder"]["stem"]["kernel"][:] = 0
    second = prepare_variables(model, variables)
    assert first["params"]["encoder"]["stem"]["kernel"].any()
    assert not second["params"]["encoder"]["stem"]["kernel"].any()


# Of another network, whose modules are left to name them, and where there is nothing to prepare.
@pytest.mark.parametrize(("config", "given"), [(MOBILENET, RESNET), (SWIN, SWIN)])
def test_variables_that_are_left_as_they_are(config, given):
    variables = init_variables(build_model(given))
    assert prepare_variables(build_model(config), variables) is variables
