"""Compiled programs; the cache in processes of their own, since it is set once for a process."""

import os

import jax
import jax.numpy as jnp
import pytest
from programs import run_python

from mavos_jax.runtime import compilation
from mavos_jax.runtime.compilation import CompilationClock

COMPILES = """
import sys, threading
if sys.argv[1:] == ["nobody"]:
    import pwd
    def unknown(user): raise KeyError(user)
    pwd.getpwuid = unknown
import jax, jax.numpy as jnp
from mavos_jax.runtime import compilation
compilation.keep_compilations()
seen, hits = [], []
if sys.argv[1:] == ["slow"]:
    compilation._SLOW_SECONDS = 1e-9
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, _, **named: seen.append((event.split("/")[-1], compilation.is_compiling())))
    compilation.announce_compilations()
jax.monitoring.register_event_listener(lambda event, **_: hits.append(event))
print(float(jax.jit(lambda x: jnp.sin(x).sum() * 3)(jnp.ones((64, 64)))))
if seen:
    assert ("backend_compile_duration", True) in seen and ("jaxpr_trace_duration", False) in seen
    assert not compilation.is_compiling()
for thread in threading.enumerate():  # those that look whether a compilation takes long
    if isinstance(thread, threading.Timer): thread.join()
print(sum(x.endswith("cache_misses") for x in hits), "compiled", file=sys.stderr)
"""


def run(cache, *words, without=(), options=()):
    """Returns the lines that were printed, and how many programs were compiled."""
    environment = {k: x for k, x in os.environ.items() if k not in {*without, "XLA_FLAGS"}}
    environment.pop("JAX_COMPILATION_CACHE_DIR")
    if cache is not None:
        environment["JAX_COMPILATION_CACHE_DIR"] = str(cache)
    output, errors = run_python(*options, "-c", COMPILES, *words, env=environment)
    *others, last = errors.splitlines()
    assert all(line.startswith("compiling ") for line in others)  # no warning
    number, word = last.split()
    assert word == "compiled"
    return [*others, *output.splitlines()], int(number)


@pytest.mark.parametrize(
    "damage", [lambda x: x[: len(x) // 2], lambda _: b"", lambda x: bytes(len(x))]
)
def test_a_damaged_entry_is_replaced(tmp_path, damage):
    lines, number = run(tmp_path)
    assert number > 0
    entries = sorted(tmp_path.glob("*-cache"))
    for entry in entries:
        entry.write_bytes(damage(entry.read_bytes()))
    assert run(tmp_path) == (lines, number)
    assert run(tmp_path, options=("-W", "error")) == (lines, 0)
    assert sorted(tmp_path.glob("*-cache")) == entries


def test_a_line_says_where_nothing_can_be_kept(tmp_path):
    homeless = {"without": ("HOME", "XDG_CACHE_HOME")}
    lines, _ = run(None, "nobody", **homeless)
    assert len(lines) == 2
    assert "JAX_COMPILATION_CACHE_DIR=FOLDER" in lines[0]
    lines, _ = run(tmp_path, "nobody", **homeless)
    assert len(lines) == 1
    assert list(tmp_path.glob("*-cache"))
    (tmp_path / "file").touch()
    lines, _ = run(tmp_path / "file" / "cache")
    assert len(lines) == 2
    assert f"{tmp_path / 'file'}" in lines[0]


def test_what_compiles_for_long_is_said_once(tmp_path):
    lines, _ = run(tmp_path, "slow")
    said = [line for line in lines if line.startswith("compiling ")]
    assert said
    assert len(set(said)) == len(said)
    assert all(f"kept in {tmp_path}" in line for line in said)


def test_compilation_is_measured_once_and_running_is_not():
    compiled = jax.jit(lambda x: jnp.sin(x) * 3 + 1)
    with CompilationClock() as first:
        compiled(jnp.ones(7)).block_until_ready()
    assert first.seconds > 0
    argument = jnp.ones(7)
    with CompilationClock() as second:
        compiled(argument).block_until_ready()
    assert second.seconds == 0


def test_overlapping_reports_count_once(monkeypatch):
    monkeypatch.setattr(compilation.time, "perf_counter", iter([10.0, 11.0, 20.0]).__next__)
    report = jax.monitoring.record_event_duration_secs
    with CompilationClock() as clock:
        for seconds in (1.0, 3.0, 2.0):  # 9..10 lies inside 8..11; then 18..20
            report("/jax/core/compile/backend_compile_duration", seconds)
        report("/jax/another/duration", 5.0)
    report("/jax/core/compile/late", 5.0)
    assert clock.seconds == pytest.approx(5.0)
