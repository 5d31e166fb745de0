"""Folders, lists and metadata of a data set: finding them, and saying what is wrong with them."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from mavos_jax.config import MAX_ID
from mavos_jax.datasets.sequences import ListedObject
from mavos_jax.media.folders import IMAGE_SUFFIXES, describe_folder, natural_order
from mavos_jax.runtime.untrusted import read_json, shortened

FRAMES = "JPEGImages"
MASKS = "Annotations"
_MAX_NAME_BYTES = 200
_ODD = re.compile(r"[\\\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_SUFFIX = "|".join(map(re.escape, IMAGE_SUFFIXES))
_IMAGE_FIRST = re.compile(rf"(.*?(?:{_SUFFIX}))(?:\s.*)?", re.IGNORECASE)


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
    """Returns ``.`` as a candidate for :func:`find_pair` if the root is the split's own folder."""
    return ["."] if root.absolute().name.removesuffix(suffix) in names else []


def require_root(root: Path) -> None:
    """Raises unless a set's root is a folder."""
    if not root.is_dir():
        found = "a file" if root.exists() else "nothing"
        raise ValueError(f"{root}: expected the folder of a data set, found {found}")


def require_sequences(folder: Path, names: Sequence[str]) -> Sequence[str]:
    """Returns the names of the folders of frames in a folder; raises ValueError for none."""
    if not names:
        raise ValueError(
            f"{folder}: expected a folder of frames for every sequence, found "
            f"{describe_folder(folder)}"
        )
    return names


def is_sound_name(name: str, *, is_nested: bool = True) -> bool:
    """Whether a name can become a path, of several folders if nested, that leads nowhere else."""
    parts = name.split("/") if is_nested else [name]
    is_local = not {"", ".", ".."}.intersection(parts) and (is_nested or "/" not in name)
    return is_local and not _ODD.search(name) and len(name.encode()) <= _MAX_NAME_BYTES


def require_name(origin: Path, name: str, *, is_nested: bool = True) -> str:
    """Returns a name from ``origin`` that becomes a path; raises BadName if it leads elsewhere."""
    if not is_sound_name(name, is_nested=is_nested):
        raise BadName(
            f"{origin}: expected the name of a {'sequence' if is_nested else 'frame'}, of at most "
            f"{_MAX_NAME_BYTES} bytes and without '..', backslashes and control characters, found "
            f"{shortened(name)}; rename it"
        )
    return name


class SplitList(NamedTuple):
    """The list of a split: its file, the names in natural order, and lines about repeated ones."""

    path: Path
    names: tuple[str, ...]
    oddities: tuple[str, ...]


def read_split(root: Path, folders: Iterable[str], names: Sequence[str]) -> SplitList:
    """Reads the first ``<root>/<folder>/<name>.txt`` that is there."""
    require_root(root)
    paths = [root / folder / f"{name}.txt" for folder in folders for name in names]
    path = next(filter(Path.is_file, paths), None)
    if path is None:
        first = paths[0]
        raise ValueError(
            f"{first}: expected the list of the split's sequences, found no such file; "
            f"{first.parent} holds {describe_folder(first.parent)}"
        )
    repeated = (
        f"{path}: expected each name once, found {line} {count} times; it counts once, remove the "
        "others, or restore the names that they replace"
        for line, count in Counter(read_lines(path)).items()
        if count > 1
    )
    return SplitList(path, read_list(path), tuple(repeated))


def read_list(path: Path) -> tuple[str, ...]:
    """Reads a split's sequences; a line has a name, or the paths of an image and its mask."""
    names = set()
    for line in read_lines(path):
        image = _IMAGE_FIRST.fullmatch(line)
        folder = PurePosixPath(image[1]).parent.name if image else ""
        names.add(require_name(path, folder or line.rstrip("/")))
    if not names:
        raise ValueError(f"{path}: expected names of sequences, found an empty list")
    return tuple(sorted(names, key=natural_order))


def read_lines(path: Path) -> list[str]:
    """Reads the stripped lines of a text in UTF-8, without empty ones."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path}: expected a text in UTF-8, found other bytes ({error.reason} at "
            f"{error.start}); save it as UTF-8"
        ) from error
    # splitlines() would also split at characters that names may have.
    return [line for line in map(str.strip, text.split("\n")) if line]


def read_names(path: Path) -> frozenset[str]:
    """Reads a list of names, one per line; those that begin with # are comments."""
    if not path.is_file():
        raise ValueError(f"{path}: expected a list of names, one in a line, found no such file")
    names = frozenset(line for line in read_lines(path) if not line.startswith("#"))
    if not names:
        raise ValueError(f"{path}: expected names, one in a line, found none")
    return names


_WHOLE = re.compile("[0-9]{1,8}")
VideoObjects = dict[str, dict[int, ListedObject]]  # objects by id, by video


def read_metadata(
    path: Path,
    parse: Callable[[str, Any], ListedObject],
    *,
    expected: str,
    allow_empty: bool = False,
    allow_ids: bool = False,
) -> VideoObjects:
    """Reads ``videos.<video>.objects.<id>`` of a JSON file, videos in natural order.

    ``parse`` makes an object from its video's name and its value, ``expected`` in words, or raises.
    Objects or frames may be missing if ``allow_empty``, or a list of ids if ``allow_ids``.
    """
    if not path.is_file():
        raise ValueError(
            f"{path}: expected the list of videos and objects, found no such file; "
            f"{path.parent} holds {describe_folder(path.parent)}"
        )
    content = read_json(path)
    try:
        videos = content["videos"].items()
        read = {
            name: _read_objects(path, name, video["objects"], parse, allow_ids)
            for name, video in videos
        }
    except BadName:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        found = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        raise ValueError(
            f"{path}: expected videos.<video>.objects.<id>.{expected}, found {found}; restore the "
            "file"
        ) from error
    if not read:
        raise ValueError(
            f"{path}: expected videos, found none; restore the file that belongs to the frames"
        )
    for name, objects in read.items():
        if not objects and not allow_empty:
            raise ValueError(f"{path}: expected objects of every video, found none of {name}")
        for number, listed in objects.items():
            if not 1 <= number <= MAX_ID:
                raise ValueError(
                    f"{path}: expected ids from 1 to {MAX_ID}, found {number} in {name}"
                )
            if not listed.frames and not allow_empty:
                raise ValueError(
                    f"{path}: expected frames of every object, found none of {number} in {name}"
                )
    return dict(sorted(read.items(), key=lambda item: natural_order(item[0])))


def parse_frames(path: Path, value: Any) -> ListedObject:
    """Reads an object whose value lists its ``frames``, and may name its ``category``."""
    frames, category = value["frames"], value.get("category")
    if not isinstance(frames, list) or not all(isinstance(name, str) for name in frames):
        raise ValueError(f"frames {shortened(frames)}, which is no list of texts")
    if not isinstance(category, str | None):
        raise ValueError(f"category {shortened(category)}, which is no text")
    for name in frames:
        require_name(path, name, is_nested=False)
    return ListedObject(tuple(sorted(set(frames), key=natural_order)), category)


def whole_number(value: Any) -> int:
    """Reads a whole number of up to eight digits, which may be a text, or raises ValueError."""
    digits = str(value) if isinstance(value, int | str) else ""
    if not _WHOLE.fullmatch(digits):
        raise ValueError(f"{shortened(value)}, which is no whole number of up to eight digits")
    return int(digits)


def _read_objects(
    path: Path, video: str, objects: Any, parse: Callable[[str, Any], ListedObject], allow_ids: bool
) -> dict[int, ListedObject]:
    require_name(path, video)
    if allow_ids and isinstance(objects, list):
        objects = dict.fromkeys(objects)
    read = {whole_number(number): parse(video, value) for number, value in objects.items()}
    if len(read) < len(objects):
        raise ValueError(f"two keys for one id in {video}")
    return read
