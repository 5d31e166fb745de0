"""Data sets for training, one module for each layout; :func:`open_source` opens any of them."""

from mavos_jax.data.sets.source import open_source
from mavos_jax.media.pictures import DamagedSample

__all__ = ["DamagedSample", "open_source"]
