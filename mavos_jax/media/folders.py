"""The pictures of a folder: which files are frames or masks, and which are neither."""

import itertools
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mavos_jax.media.pictures import DamagedSample, read_header

_LOSSY_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    *(".webp", ".avif", ".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"),
)
MASK_SUFFIXES = (  # of pictures stored without loss
    *(".png", ".tif", ".tiff", ".bmp", ".dib", ".gif", ".apng"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".qoi", ".tga", ".sgi", ".rgb", ".bw", ".pcx", ".ras"),
)
IMAGE_SUFFIXES = (*MASK_SUFFIXES, *_LOSSY_SUFFIXES)  # of all pictures that can be read
_FOREIGN_SUFFIXES = (  # of pictures that cannot
    *(".heic", ".heif", ".jxl", ".exr", ".hdr", ".psd", ".svg"),
    *(".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2", ".raw"),
)
_JUNK = ("thumbs.db", "desktop.ini")
_NUM_NAMED = 8
_MAX_SERIES = 50
_MASK_WORDS = re.compile("mask|label|segm|anno|matte|truth|(?<![a-z])gt(?![a-z])")
_INDEXED_MODES = ("P", "1", "L")


def natural_order(name: str) -> tuple[list[tuple[bool, int, str]], str]:
    """A sorting key that compares the numbers in names by value, so that 2 comes before 10."""
    parts = re.split(r"([0-9]+)", name.lower())
    keys = [(p.isascii() and p.isdigit(), int(p) if i % 2 else 0, p) for i, p in enumerate(parts)]
    return [key for key in keys if key[2]], name


def name_some(names: Sequence[str]) -> str:
    """Joins names, the first eight of them."""
    rest = len(names) - _NUM_NAMED
    return ", ".join(names[:_NUM_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def visible(folder: Path) -> list[str]:
    """Lists what is in a folder and not hidden, in natural order."""
    return sorted((n for n in os.listdir(folder) if not n.startswith(".")), key=natural_order)


def describe_folder(folder: Path) -> str:
    """Names what is in a folder, for a message."""
    if not folder.is_dir():
        return f"no folder {folder}"
    return name_some(visible(folder)) or "an empty folder"


def images_by_stem(folder: Path, suffixes: Iterable[str] = IMAGE_SUFFIXES) -> dict[str, str]:
    """Lists a folder's pictures by names without suffix, in natural order; refuses odd ones."""
    found: dict[str, str] = {}
    others = []
    for name in _files(folder):
        stem, suffix = os.path.splitext(name)
        suffix = suffix.lower()
        if suffix not in suffixes:
            if suffix in IMAGE_SUFFIXES or suffix in _FOREIGN_SUFFIXES:
                others.append((stem, name))
            continue
        if stem in found:
            raise ValueError(
                f"{folder}: expected one image for each frame name, found {found[stem]} and {name};"
                " remove one of them"
            )
        found[stem] = name
    for stem, name in others:
        if stem not in found:
            raise ValueError(describe_kind(folder / name, suffixes))
    return found


def frames_by_stem(folder: Path) -> dict[str, str]:
    """Lists frames as :func:`images_by_stem` does; raises ValueError if masks lie among them."""
    found = images_by_stem(folder)
    mask = _mask_by_name(found) or _mask_by_format(folder, found)
    if mask is not None:
        raise ValueError(
            f"{folder / mask[0]}: expected only frames, found one that looks like a mask or a "
            f"second picture beside {mask[1]}; move the masks to a folder of their own"
        )
    return found


def subfolders(folder: Path) -> list[str]:
    """Lists the visible folders in a folder, in natural order."""
    with os.scandir(folder) as entries:
        names = [e.name for e in entries if not e.name.startswith(".") and e.is_dir()]
    return sorted(names, key=natural_order)


def nested_folders(folder: Path) -> tuple[str, ...]:
    """Names the folders of frames in a folder, "." for itself, at most two levels down."""
    found = ["."] if images_by_stem(folder) else []
    for name in subfolders(folder):
        below = [f"{name}/{nested}" for nested in subfolders(folder / name)]
        if images_by_stem(folder / name):
            found += [name, *(nested for nested in below if images_by_stem(folder / nested))]
        else:
            found += below or [name]  # meant to hold frames
    return tuple(sorted(found, key=natural_order))


def describe_kind(path: Path, suffixes: Iterable[str]) -> str:
    """Says that a picture is of another kind than those of ``suffixes``."""
    if suffixes == MASK_SUFFIXES:
        return f"{path}: expected an indexed PNG, found a file of another kind; save ids as PNG"
    return (
        f"{path}: expected a picture that can be read (.jpg, .png, .tif, .webp and others), found "
        f"{path.suffix}; convert it, or remove it"
    )


def unread_names(folder: Path) -> tuple[str, ...]:
    """Lists the visible files of a folder that are no pictures, in natural order."""
    names = (name for name in _files(folder) if name.lower() not in _JUNK)
    return tuple(n for n in names if os.path.splitext(n)[1].lower() not in IMAGE_SUFFIXES)


def describe_unread(folders: Iterable[Path]) -> tuple[str, ...]:
    """Says in at most one line which files in folders of frames are no pictures."""
    found = [str(f / name) for f in dict.fromkeys(folders) for name in unread_names(f)]
    if not found:
        return ()
    are = "1 file is no picture" if len(found) == 1 else f"{len(found)} files are no pictures"
    return (f"left out: {are}: {name_some(found)}",)


def describe_series(names: Iterable[str]) -> tuple[str, ...]:
    """Says in at most one line that frames share numbers, as those of two cameras do."""
    groups = _series(names).values()
    found = [
        next(iter(one.values()))
        for one in groups
        if any(one is not other and len(one.keys() & other.keys()) > 1 for other in groups)
    ]
    if not found:
        return ()
    return (f"frames: {len(found)} series, taken one after the other: {name_some(found)}",)


def _files(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        names = [e.name for e in entries if not e.name.startswith(".") and not e.is_dir()]
    return sorted(names, key=lambda name: (natural_order(os.path.splitext(name)[0]), name))


def _series(names: Iterable[str]) -> dict[str, dict[tuple[str, ...], str]]:
    """Groups file names by what they are apart from numbers and suffix; each group by numbers.

    Of more groups than :data:`_MAX_SERIES`, as names with checksums give, only those of several.
    """
    groups: dict[str, dict[tuple[str, ...], str]] = {}
    for name in names:
        stem = os.path.splitext(name)[0]
        pattern = re.sub("[0-9]+", "#", stem.lower())
        groups.setdefault(pattern, {})[tuple(re.findall("[0-9]+", stem))] = name
    if len(groups) <= _MAX_SERIES:
        return groups
    return {pattern: group for pattern, group in groups.items() if len(group) > 1}


def _mask_by_name(found: Mapping[str, str]) -> tuple[str, str] | None:
    """Finds a file, and others whose numbers it shares under a longer name, or one for masks."""
    groups = _series(found.values())
    for (one, frames), (other, masks) in itertools.permutations(groups.items(), 2):
        if "#" not in one or (len(frames) == 1 and len(masks) > 1):
            continue
        shared = [numbers for numbers in masks if numbers in frames]
        is_named = _MASK_WORDS.search(other) and not _MASK_WORDS.search(one)
        is_longer = one in other and not is_named
        if (is_named and (shared or "#" not in other)) or (
            is_longer and 2 * len(shared) >= len(frames)
        ):
            return next(iter(masks.values())), next(iter(frames.values()))
    return None


def _mask_by_format(folder: Path, found: Mapping[str, str]) -> tuple[str, str] | None:
    """Finds indexed or grey files of another suffix than those in colour; see above."""
    firsts: dict[str, str] = {}
    for name in found.values():
        firsts.setdefault(os.path.splitext(name)[1].lower(), name)
    if len(firsts) == 1:
        return None
    modes = {}
    for suffix, name in firsts.items():
        try:
            modes[name] = read_header(folder / name).mode, suffix in MASK_SUFFIXES
        except DamagedSample:  # said where it is read
            continue
    masks = [name for name, (mode, whole) in modes.items() if mode in _INDEXED_MODES and whole]
    frames = [name for name, (mode, _) in modes.items() if mode not in _INDEXED_MODES]
    return (masks[0], frames[0]) if masks and frames else None
