"""Folders, lists and names of a data set: finding them, and saying what is wrong with them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from mavos_jax.media.folders import IMAGE_SUFFIXES, name_some, natural_order, visible
from mavos_jax.runtime.untrusted import shortened

FRAMES = "JPEGImages"
MASKS = "Annotations"

_MAX_NAME_BYTES = 200
_ODD = re.compile(r"[\\\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_IMAGE_FIRST = re.compile(
    rf"(.*?(?:{'|'.join(map(re.escape, IMAGE_SUFFIXES))}))(?:\s.*)?", re.IGNORECASE
)


class BadName(ValueError):  # noqa: N818 - the name says what is wrong
    """A name that would lead elsewhere when it becomes a path."""


def split_names(split: str) -> tuple[str, ...]:
    """The names that the folder of a split goes by."""
    return {"val": ("val", "valid"), "valid": ("valid", "val")}.get(split, (split,))


def find_pair(root: Path, candidates: Sequence[str], masks: Sequence[str] = (MASKS,)) -> Path:
    """Finds the first of the folders below ``root`` with ``JPEGImages`` and one of ``masks``."""
    require_root(root)
    for folder in (root / candidate for candidate in candidates):
        if (folder / FRAMES).is_dir() and any((folder / name).is_dir() for name in masks):
            return folder
    wanted = " or ".join(str(Path(candidate, f"{{{FRAMES},{MASKS}}}")) for candidate in candidates)
    raise ValueError(f"{root}: expected {wanted} under it, found {describe_folder(root)}")


def own_folder(root: Path, names: Sequence[str], suffix: str = "") -> list[str]:
    """Returns ``.`` as a candidate if the root is the split's own folder."""
    return ["."] if root.absolute().name.removesuffix(suffix) in names else []


def require_root(root: Path) -> None:
    """Raises unless a set's root is a folder."""
    if not root.is_dir():
        found = "a file" if root.exists() else "nothing"
        raise ValueError(f"{root}: expected the folder of a data set, found {found}")


def describe_folder(folder: Path) -> str:
    """Names what is in a folder, for an error message."""
    if not folder.is_dir():
        return f"no folder {folder}"
    return name_some(visible(folder)) or "an empty folder"


def require_sequences(folder: Path, names: Sequence[str]) -> Sequence[str]:
    """Returns the names of the folders of frames in a folder; raises ValueError for none."""
    if not names:
        raise ValueError(
            f"{folder}: expected a folder of frames for every sequence, found "
            f"{describe_folder(folder)}"
        )
    return names


def require_name(origin: Path, name: str, *, is_nested: bool = True) -> str:
    """Returns a name that becomes a path below the folders of frames, masks and results.

    It comes from ``origin``; nested ones may lead through folders, as ``birds/3`` does.

    Raises:
      BadName: it is empty, absolute or over 200 bytes, or has a part that is empty, ``.`` or
        ``..``, backslashes, control characters, or bytes that are no UTF-8.
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


def find_list(root: Path, candidates: Sequence[str]) -> Path:
    """Finds the first of the lists below ``root``; raises ValueError if there is none."""
    require_root(root)
    path = next((root / c for c in candidates if (root / c).is_file()), None)
    if path is None:
        first = root / candidates[0]
        raise ValueError(
            f"{first}: expected the list of the split's sequences, found no such file; "
            f"{first.parent} holds {describe_folder(first.parent)}"
        )
    return path


def read_list(path: Path) -> tuple[str, ...]:
    """Reads the sequence names of a split, in natural order.

    A line holds a name, which may contain spaces, or the paths of an image and its mask; the name
    is then that of the image's folder.
    """
    names = {require_name(path, _listed_name(line)) for line in read_lines(path)}
    if not names:
        raise ValueError(f"{path}: expected names of sequences, found an empty list")
    return tuple(sorted(names, key=natural_order))


def find_repeated(path: Path) -> tuple[str, ...]:
    """Reports the lines that a list repeats."""
    counts = Counter(read_lines(path))
    return tuple(
        f"{path}: expected each name once, found {line} {count} times; it counts once, remove the "
        "others, or restore the names that they replace"
        for line, count in counts.items()
        if count > 1
    )


def read_lines(path: Path) -> list[str]:
    """Reads the lines of a text in UTF-8, without empty ones and without spaces around them."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path}: expected a text in UTF-8, found other bytes ({error.reason} at "
            f"{error.start}); save it as UTF-8"
        ) from error
    # Not splitlines(), which also ends lines at characters that names may have.
    return [line for line in map(str.strip, text.split("\n")) if line]


def read_names(path: Path) -> frozenset[str]:
    """Reads a list of names, one in a line, without empty lines and those that begin with #."""
    if not path.is_file():
        raise ValueError(f"{path}: expected a list of names, one in a line, found no such file")
    names = frozenset(line for line in read_lines(path) if not line.startswith("#"))
    if not names:
        raise ValueError(f"{path}: expected names, one in a line, found none")
    return names


def _listed_name(line: str) -> str:
    image = _IMAGE_FIRST.fullmatch(line)
    folder = PurePosixPath(image[1]).parent.name if image else ""
    return folder or line.rstrip("/")
