"""MOSE v1 and v2: ``<split>/JPEGImages/<video>``, every frame annotated in ``train``."""

from __future__ import annotations

from pathlib import Path

from mavos_jax.config.data import SourceConfig
from mavos_jax.data.sets.files import FileSet
from mavos_jax.data.sets.listing import find_pair, pair_all, split_names


def open_mose(config: SourceConfig) -> FileSet:
    """Lists the videos of a split.

    Raises:
      ValueError: folders are missing, or videos have first masks alone, as those of ``valid`` do.
    """
    root = Path(config.root)
    folder = find_pair(root, split_names(config.split))
    return FileSet(
        name=f"{config.kind} {config.split}",
        root=str(root.absolute()),
        sequences=pair_all(root, folder, annotated_only=False),
        form="ids",
        max_gap=config.max_gap,
    )
