"""Opening any data set that a configuration names."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping

from mavos_jax.config.data import SourceConfig
from mavos_jax.datasets.any_folder import open_folder
from mavos_jax.datasets.davis import open_davis
from mavos_jax.datasets.files import FileSet
from mavos_jax.datasets.generated import open_generated
from mavos_jax.datasets.lvos import open_lvos
from mavos_jax.datasets.mose import open_mose
from mavos_jax.datasets.static import open_static
from mavos_jax.datasets.youtube_vos import open_youtube_vos
from mavos_jax.media.samples import VideoSet

_LAYOUTS: Mapping[str, Callable[[SourceConfig], FileSet]] = {
    "static": open_static,
    "davis2016": open_davis,
    "davis2017": open_davis,
    "youtube_vos": open_youtube_vos,
    "lvos": open_lvos,
    "mose": open_mose,
    "folder": open_folder,
}


def open_source(config: SourceConfig, size: tuple[int, int] = (480, 854)) -> VideoSet:
    """Opens a data set: lists what is there, reads no image.

    Args:
      config: its layout, folder and split.
      size: height and width of generated frames, in pixels; others have the sizes of their files.

    Raises:
      ValueError: the folder is not laid out as the set's kind is, a list is missing, empty or names
        what is not there, sequences lack masks, or records have not been prepared. Reading a video
        raises :class:`~mavos_jax.media.pictures.DamagedSample` for files that are missing,
        damaged or do not fit each other, and ValueError for masks that hold no ids.
    """
    if config.kind == "synthetic":
        return open_generated(config, size)
    if config.format == "records":
        from mavos_jax.datasets.records import open_records

        return open_records(_at_home(config))
    return open_files(config)


def open_files(config: SourceConfig) -> FileSet:
    """Opens a data set that is laid out as files, see :func:`open_source`."""
    return _LAYOUTS[config.kind](_at_home(config))


def _at_home(config: SourceConfig) -> SourceConfig:
    """Puts the home folder in place of a ``~`` in a configuration file."""
    return dataclasses.replace(config, root=os.path.expanduser(config.root))
