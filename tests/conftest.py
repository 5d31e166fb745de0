"""Set-up of every test: devices, compilation cache, shape checks; and shared fixtures."""

import contextlib
import functools
import gc
import os
import types
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")  # also of child processes, before JAX is loaded

import jax
import numpy as np
import pytest
from jaxtyping import install_import_hook

# Shapes in signatures are comments at run time and checks in the tests. This must come before the
# first import of the package.
install_import_hook("mavos_jax", "beartype.beartype")

from mavos_jax.runtime.compilation import default_folder  # noqa: E402

# Compiled programs are kept between runs. Child processes inherit the choice.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(default_folder()))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
jax.config.update("jax_compilation_cache_dir", os.environ["JAX_COMPILATION_CACHE_DIR"])
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
jax.config.update("jax_num_cpu_devices", 4)


@pytest.fixture
def count_compilations():
    """A context manager whose value counts programs compiled, or read from a cache, and traces."""

    @contextlib.contextmanager
    def counting():
        count = types.SimpleNamespace(compilations=0, traces=0)

        def listen(event: str, duration_secs: float, **_: str | int) -> None:
            count.compilations += event.endswith("backend_compile_duration")
            count.traces += event.endswith("jaxpr_trace_duration")

        jax.monitoring.register_event_duration_secs_listener(listen)
        try:
            yield count
        finally:
            jax.monitoring.unregister_event_duration_listener(listen)

    return counting


@pytest.fixture(scope="session")
def goldens():
    """Reads the arrays of ``tests/goldens/NAME.npz``; callers must not write into them."""

    @functools.cache
    def read(name):
        with np.load(Path(__file__).parent / "goldens" / f"{name}.npz") as file:
            return dict(file)

    return read


@pytest.fixture
def copying(monkeypatch):
    """Puts a stand-in in the network's place in runs over a set: nothing moves."""
    from copying import copy_masks

    monkeypatch.setattr("mavos_jax.evaluation.sequence.stream_masks", copy_masks)


@pytest.fixture(scope="module", autouse=True)
def _forget_programs():
    """Frees a module's programs: all together they need more memory maps than Linux allows."""
    yield
    jax.clear_caches()
    gc.collect()
