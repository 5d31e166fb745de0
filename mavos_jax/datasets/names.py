"""The names of sequences and frames: what they may be, and the lists that hold them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from mavos_jax.datasets.listing import describe_folder, require_root
from mavos_jax.media.folders import IMAGE_SUFFIXES, natural_order
from mavos_jax.runtime.json_files import shortened


class BadName(ValueError):  # noqa: N818 - the name says what is wrong
    """A name that would lead elsewhere when it becomes a path."""


_MAX_NAME_BYTES = 200
_ODD = re.compile(r"[\\\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def require_name(origin: Path, name: str, *, is_nested: bool = True) -> str:
    """Returns a name that becomes a path below the folders of frames, masks and results.

    Args:
      origin: the file or folder that the name comes from.
      name: of a sequence or a frame.
      is_nested: whether it may lead through folders, as ``birds/3`` does.

    Raises:
      BadName: it is empty, absolute or over 200 bytes, or has a part that is empty, ``.`` or
        ``..``, or characters that no name in the sets has: backslashes, controls, bytes that are no
        UTF-8.
    """
    parts = name.split("/") if is_nested else [name]
    if (
        {"", ".", ".."}.intersection(parts)
        or _ODD.search(name)
        or ("/" in name and not is_nested)
        or len(name.encode()) > _MAX_NAME_BYTES
    ):
        raise BadName(
            f"{origin}: expected the name of a {'sequence' if is_nested else 'frame'}, of at most "
            f"{_MAX_NAME_BYTES} bytes and without '..', backslashes and control characters, found "
            f"{shortened(name)}; rename it"
        )
    return name


def read_list(root: Path, candidates: Sequence[str]) -> tuple[str, ...]:
    """Reads the sequence names of a split, in natural order.

    A line holds a name, which may contain spaces, or the paths of an image and its mask, of which
    the image's folder is the name.

    Args:
      root: of the set.
      candidates: files relative to it, of which the first that is there counts.

    Raises:
      ValueError: there is no list, it is empty or no text, or a name would lead elsewhere.
    """
    require_root(root)
    path = next((root / c for c in candidates if (root / c).is_file()), None)
    if path is None:
        first = root / candidates[0]
        raise ValueError(
            f"{first}: expected the list of the split's sequences, found no such file; "
            f"{first.parent} holds {describe_folder(first.parent)}"
        )
    names = {require_name(path, _listed_name(line)) for line in read_lines(path)}
    if not names:
        raise ValueError(f"{path}: expected names of sequences, found an empty list")
    return tuple(sorted(names, key=natural_order))


_IMAGE_FIRST = re.compile(
    rf"(.*?(?:{'|'.join(map(re.escape, IMAGE_SUFFIXES))}))(?:\s.*)?", re.IGNORECASE
)


def _listed_name(line: str) -> str:
    image = _IMAGE_FIRST.fullmatch(line)
    folder = PurePosixPath(image[1]).parent.name if image else ""
    return folder or line.rstrip("/")


def read_lines(path: Path) -> list[str]:
    """Reads the lines of a text file, without empty ones and without spaces around them.

    Raises:
      ValueError: it is not in UTF-8.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path}: expected a text in UTF-8, found other bytes ({error.reason} at "
            f"{error.start}); save it as UTF-8"
        ) from error
    # Not splitlines(), which also ends lines at characters that names may have.
    return [line for line in map(str.strip, text.split("\n")) if line]
