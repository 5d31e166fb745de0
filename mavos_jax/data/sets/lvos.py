"""LVOS v1 and v2: ``<split>/JPEGImages/<video>``, annotated at some frames or at all."""

from __future__ import annotations

from pathlib import Path

from mavos_jax.config.data import SourceConfig
from mavos_jax.data.sets.files import FileSet
from mavos_jax.data.sets.listing import find_pair, pair_all, split_names


def open_lvos(config: SourceConfig) -> FileSet:
    """Lists the videos of a split, whose folder is called ``val`` or ``valid`` alike.

    Frames without a mask are left out, those before the first labelled one among them.

    Raises:
      ValueError: folders are missing, or videos have fewer than two masks.
    """
    root = Path(config.root)
    folder = find_pair(root, split_names(config.split))
    return FileSet(
        name=f"{config.kind} {config.split}",
        root=str(root.absolute()),
        sequences=pair_all(root, folder, annotated_only=True),
        form="ids",
        max_gap=config.max_gap,
    )
