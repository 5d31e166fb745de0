"""Runs :mod:`mavos_jax.profiling.rows`."""

from mavos_jax.commands.errors import main_with_errors
from mavos_jax.profiling.rows import main

if __name__ == "__main__":
    main_with_errors(main)
