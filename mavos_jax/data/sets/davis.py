"""DAVIS 2016 and 2017: ``JPEGImages/480p/<sequence>`` and lists in ``ImageSets``."""

from __future__ import annotations

from pathlib import Path

from mavos_jax.config.data import SourceConfig
from mavos_jax.data.sets.files import FileSet
from mavos_jax.data.sets.listing import find_sequences, require_root, split_names
from mavos_jax.data.sets.names import read_list

_RESOLUTIONS = ("480p", "Full-Resolution", "1080p")


def open_davis(config: SourceConfig) -> FileSet:
    """Lists the sequences of a split; those at 480p where there are several resolutions.

    In DAVIS 2016 everything that is not background is one object. Its lists hold names, or paths of
    images and masks as in the original package.

    Raises:
      ValueError: folders, the list or a sequence are missing, or sequences have first masks alone.
    """
    root = Path(config.root)
    require_root(root)
    year = config.kind.removeprefix("davis")
    folders = (year,) if year == "2017" else (year, *_RESOLUTIONS)
    splits = split_names(config.split)
    lists = [f"ImageSets/{folder}/{split}.txt" for folder in folders for split in splits]
    names = read_list(root, lists)
    return FileSet(
        name=f"{config.kind} {config.split}",
        root=str(root.absolute()),
        sequences=find_sequences(root, names, _RESOLUTIONS),
        form="ids" if year == "2017" else "binary",
        max_gap=config.max_gap,
    )
