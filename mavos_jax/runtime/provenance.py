"""Where results come from: software, code, devices and command."""

import datetime
import importlib.metadata
import platform
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

from mavos_jax.runtime.files import short_hash

_PACKAGES = (
    *("mavos_jax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint"),
    *("numpy", "pillow", "grain"),
)


def describe_software(command: Sequence[str] = ()) -> dict[str, Any]:
    """Returns JSON values that say what ran, on what, and when it started."""
    device = jax.devices()[0]
    return {
        "command": shlex.join(command),
        "commit": _commit(),
        "packages": {name: version_of(name) for name in _PACKAGES},
        "python": platform.python_version(),
        "devices": f"{jax.device_count()} x {device.device_kind} ({device.platform})",
        "processes": jax.process_count(),
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def code_fingerprint(*names: str) -> str:
    """Returns a short hash of Python files of this package, by their names or their folders'."""
    root = Path(__file__).parents[1]
    found = ((path, sorted(path.rglob("*.py"))) for path in map(root.joinpath, names))
    files = (file for path, inside in found for file in inside or [path])
    return short_hash(
        f"{file.relative_to(root).as_posix()}\n".encode() + file.read_bytes() for file in files
    )


def this_command() -> list[str]:
    """Returns the words that started this process."""
    return [sys.executable, *sys.argv]


def _commit() -> str | None:
    """Returns the commit of this package's checkout, with ``+`` for changes; None without one."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    git, quiet = ["git", "-C", str(root)], subprocess.DEVNULL
    try:
        commit, changes = (
            subprocess.check_output([*git, *words], stderr=quiet, text=True, timeout=20).strip()
            for words in (("rev-parse", "HEAD"), ("status", "--porcelain", "-uno"))
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{commit}+" if changes else commit


def version_of(package: str) -> str | None:
    """Returns the version of an installed package, None where it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
