"""Networks on disk: checkpoint folders, what describes them, and the packaged weights."""

from mavos_jax.checkpoints.folder import load, save

__all__ = ["load", "save"]
