"""Whether something can be written at a path, asked before any work is done for it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def require_writable_parent(path: str | os.PathLike[str]) -> None:
    """Raises unless the nearest existing parent of a path is a folder that takes new entries.

    Permissions do not tell (an administrator's are ignored, ``/proc`` takes nothing), so a
    temporary folder is made there and removed.

    Raises:
      ValueError: it is a file or not writable.
    """
    parent = Path(os.path.abspath(path)).parent
    while not os.path.lexists(parent):
        parent = parent.parent
    if not parent.is_dir():
        raise ValueError(
            f"{path}: expected a path in a folder, found that {parent} is none; choose another path"
        )
    try:
        with tempfile.TemporaryDirectory(prefix=".writable-", dir=parent):
            pass
    except OSError as error:
        raise ValueError(
            f"{path}: expected a path in a writable folder, found that {parent} takes no new files "
            f"({error.strerror}); choose another path"
        ) from None
