"""Runs the benchmark as a script."""

from mavos_jax.benchmark.command import main
from mavos_jax.command_line import main_with_errors

if __name__ == "__main__":
    main_with_errors(main)
