"""Compiled programs are kept between runs."""

from __future__ import annotations

import os
import platform
import re
import zlib
from pathlib import Path

import jax


def keep_compilations() -> None:
    """Keeps compiled programs between runs, unless the user says otherwise.

    They lie in ``~/.cache/mavos_jax/compilation`` by kind of processor, or where
    ``JAX_COMPILATION_CACHE_DIR`` says.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "mavos_jax" / "compilation" / _processor()
    folder_option = os.environ.get("JAX_COMPILATION_CACHE_DIR", str(folder))
    jax.config.update("jax_compilation_cache_dir", folder_option or None)
    # By default JAX keeps what takes over a second to compile, on a CPU hardly anything.
    seconds = os.environ.get("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    jax.config.update("jax_persistent_cache_min_compile_time_secs", float(seconds))


def _processor() -> str:
    """Names the kind of processor, whose programs another kind may refuse or misread."""
    description = Path("/proc/cpuinfo")
    text = description.read_text() if description.exists() else ""
    features = re.search(r"^(flags|Features)\s*:.*", text, re.MULTILINE)
    return f"{platform.machine()}-{zlib.crc32(features[0].encode()) if features else 0:08x}"
