"""Programs that are run as ``python -m mavos_jax.commands.NAME``."""
