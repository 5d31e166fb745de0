"""What importing the package costs: the base dependencies without Orbax, and no more."""

import pytest
from programs import run_python

ABSENT = "av beartype grain matplotlib orbax tensorboardX tensorflow tensorflow_datasets torch tyro"

PROGRAM = """
import importlib, pkgutil, sys
for name in {names}:
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(getattr(package, "__path__", ()), name + "."):
        if name != "mavos_jax":
            importlib.import_module(module.name)
print(*sorted(set({absent!r}.split()) & set(sys.modules)))
"""


@pytest.mark.parametrize(
    "names",
    [
        ("mavos_jax",),
        ("mavos_jax.config", "mavos_jax.models", "mavos_jax.inference"),
        ("mavos_jax.commands.parser", "mavos_jax.checkpoints.weights"),
        ("mavos_jax.data", "mavos_jax.evaluation"),
        ("mavos_jax.conversion",),
    ],
    ids=lambda names: names[-1],
)
def test_importing_needs_the_base_dependencies_alone(names):
    program = PROGRAM.format(names=names, absent=ABSENT)
    assert run_python("-W", "error", "-c", program) == ("\n", "")
