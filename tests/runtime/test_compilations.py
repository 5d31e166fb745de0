"""The cache of compiled programs, in processes of their own: it is set once for a process."""

import os
import subprocess
import sys

import pytest

COMPILES = """
import sys
if sys.argv[1:] == ["nobody"]:
    import pwd
    def unknown(user): raise KeyError(user)
    pwd.getpwuid = unknown
from mavos_jax.runtime import devices
devices.keep_compilations()
if sys.argv[1:] == ["slow"]:
    devices._SLOW_SECONDS = 1e-9
    devices.announce_compilations()
import jax, jax.numpy as jnp
hits = []
jax.monitoring.register_event_listener(lambda event, **_: hits.append(event))
print(float(jax.jit(lambda x: jnp.sin(x).sum() * 3)(jnp.ones((64, 64)))))
print(sum(x.endswith("cache_misses") for x in hits), "compiled", file=sys.stderr)
"""


def run(cache, *words, without=(), options=()):
    """Returns the lines on the standard output, and how many programs were compiled."""
    environment = {k: x for k, x in os.environ.items() if k not in {*without, "XLA_FLAGS"}}
    environment.pop("JAX_COMPILATION_CACHE_DIR")
    if cache is not None:
        environment["JAX_COMPILATION_CACHE_DIR"] = str(cache)
    result = subprocess.run(
        [sys.executable, *options, "-c", COMPILES, *words],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    number, word = result.stderr.split()  # and no warning
    assert word == "compiled"
    return result.stdout.splitlines(), int(number)


def damage_half(content):
    return content[: len(content) // 2]


@pytest.mark.parametrize("damage", [damage_half, lambda _: b"", lambda x: bytes(len(x))])
def test_a_damaged_entry_is_replaced(tmp_path, damage):
    lines, number = run(tmp_path)
    assert number > 0
    entries = sorted(tmp_path.glob("*-cache"))
    for entry in entries:
        entry.write_bytes(damage(entry.read_bytes()))
    assert run(tmp_path) == (lines, number)
    assert run(tmp_path, options=("-W", "error")) == (lines, 0)
    assert sorted(tmp_path.glob("*-cache")) == entries


def test_without_a_home_a_line_says_that_nothing_is_kept(tmp_path):
    lines, _ = run(None, "nobody", without=("HOME", "XDG_CACHE_HOME"))
    assert len(lines) == 2
    assert "JAX_COMPILATION_CACHE_DIR=FOLDER" in lines[0]
    lines, _ = run(tmp_path, "nobody", without=("HOME", "XDG_CACHE_HOME"))
    assert len(lines) == 1
    assert list(tmp_path.glob("*-cache"))


def test_a_folder_that_is_none_is_named(tmp_path):
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
