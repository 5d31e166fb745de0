import functools

import jax
import numpy as np
import pytest

from mavos_jax.commands.parser import load_config
from mavos_jax.models.backend import backend_for
from mavos_jax.models.mavos import build_model, variable_shapes


def test_backend_depends_on_the_platform():
    assert backend_for("cpu").short_term_tile is not None
    assert backend_for("gpu") == backend_for("cuda") == backend_for("tpu")


@pytest.mark.parametrize(
    ("name", "num_parameters", "size"),
    [
        ("mavos", 34_429_833, (481, 849)),
        ("r50_mavos", 41_077_385, (481, 849)),
        ("swinb_mavos", 91_566_145, (480, 848)),
    ],
)
def test_parameters_and_strides_of_the_full_networks(name, num_parameters, size):
    config = load_config(f"configs/{name}.py")
    variables, image = variable_shapes(config), jax.ShapeDtypeStruct((*size, 3), np.float32)
    assert sum(x.size for x in jax.tree.leaves(variables["params"])) == num_parameters
    encode = functools.partial(build_model(config).apply, method="encode")
    features = jax.eval_shape(encode, variables, image)
    sizes = [tuple(-(-n // stride) for n in size) for stride in (4, 8, 16)]
    assert [x.shape[:2] for x in features.shortcuts] == sizes
    assert features.projected.shape == (*sizes[2], config.elstt.dim)
